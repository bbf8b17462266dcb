using GrpcRec.Engine.Models;

namespace GrpcRec.Training.Evaluation;

/// <summary>What a model loses in reduced precisions, by the metric that chooses epochs in training.</summary>
public sealed record PrecisionReport
{
    /// <summary>More of it is better.</summary>
    public required string Metric { get; init; }

    /// <summary>On the validation split.</summary>
    public required double Float32 { get; init; }

    /// <summary>All precisions that were measured, the fastest first.</summary>
    public required IReadOnlyList<PrecisionManifest> Measured { get; init; }

    /// <summary>The fastest that loses no more than its bound; null when there is none.</summary>
    public PrecisionManifest? Chosen => Measured.FirstOrDefault(precision => precision.RelativeLoss <= precision.MaxRelativeLoss);
}
