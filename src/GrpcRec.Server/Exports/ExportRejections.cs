using GrpcRec.Export;
using GrpcRec.Serving.Admission;

namespace GrpcRec.Server.Exports;

/// <summary>Why a model is not exported.</summary>
internal static class ExportRejections
{
    public static Rejection TooMany { get; } = new(
        RejectionKind.Overloaded, "TOO_MANY_EXPORTS", $"{ModelExporter.MaxExports} exports run already, which is as many as may; try again shortly.", TimeSpan.FromSeconds(5));

    public static Rejection NotExportable(ExportException failure) => new(RejectionKind.FailedPrecondition, "NOT_EXPORTABLE", failure.Message);
}
