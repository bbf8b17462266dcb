using GrpcRec.Export;

namespace GrpcRec.Server.Mapping;

/// <summary>What a caller asks an export to be.</summary>
public static class ExportMapping
{
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT: missing or not a format.</exception>
    public static ExportFormat ReadFormat(string format)
    {
        if (ModelExport.Formats.TryGetValue(format, out var known))
            return known;
        var violations = new Violations();
        var choices = Violations.Choices([.. ModelExport.Formats.Keys]);
        if (format.Length == 0)
            violations.Add("format", ViolationReason.Required, $"Required: one of {choices}.");
        else
            violations.Add("format", ViolationReason.UnknownName, $"{Violations.Quote(format)} is not a format: one of {choices}.");
        throw StatusMapping.BadRequest(violations);
    }
}
