using GrpcRec.Engine.Models;

namespace GrpcRec.Training.MultiTask;

/// <summary>A task as it was asked for: what it predicts of the next event, and its weight in the loss.</summary>
public sealed record TaskDefinition
{
    public required string Name { get; init; }
    public required TaskKind Kind { get; init; }

    /// <summary>λ in the loss Σ λ·L.</summary>
    public double Weight { get; init; } = 1;

    /// <summary>null for next_item.</summary>
    public LabelSource? Label { get; init; }

    /// <summary>binary: an earlier binary task whose outcome this one needs first (ESMM). The label is of both together.</summary>
    public string? Given { get; init; }
}

/// <summary>Where a label comes from, always on the next event.</summary>
public abstract record LabelSource
{
    /// <summary>binary: the next event's behaviour is one of these.</summary>
    public sealed record Behaviors(IReadOnlyList<string> Names) : LabelSource;

    /// <summary>binary: the next event's value is at least this. Unlabelled without a value.</summary>
    public sealed record ValueAtLeast(double Threshold) : LabelSource;

    /// <summary>multiclass: the next event's value is one of these. Unlabelled with another or none.</summary>
    public sealed record ValueClasses(IReadOnlyList<double> Values) : LabelSource;

    /// <summary>multiclass, of the sequence alone: the next item's category. Unlabelled without one.</summary>
    public sealed record NextCategory : LabelSource;

    /// <summary>multiclass, for a candidate: the next event's behaviour.</summary>
    public sealed record NextBehavior : LabelSource;

    /// <summary>regression: the next event's value. Unlabelled without one.</summary>
    public sealed record NextValue : LabelSource;

    /// <summary>binary: this label column is above 0; regression: the number in it. Unlabelled where NaN.</summary>
    public sealed record Column(string Name) : LabelSource;
}
