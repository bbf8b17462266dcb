using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.Events;

/// <summary>What became of the rows of a file: RowsRead = BadRows + DuplicateRows + FilteredRows + RowsKept.</summary>
public sealed record ImportReport
{
    /// <summary>Most bad rows that are shown.</summary>
    public const int MaxSamples = 20;

    public long RowsRead { get; init; }

    /// <summary>Left out because a field was missing or could not be read.</summary>
    public long BadRows { get; init; }
    public long DuplicateRows { get; init; }

    /// <summary>Left out by the k-core filter.</summary>
    public long FilteredRows { get; init; }
    public long RowsKept { get; init; }
    public long Sequences { get; init; }
    public long Items { get; init; }
    public long Behaviors { get; init; }

    /// <summary>The first bad rows.</summary>
    public IReadOnlyList<BadRow> BadRowSamples { get; init; } = [];
}

/// <param name="Row">From 1, without the header; empty lines do not count.</param>
/// <param name="Reason">For a person.</param>
/// <param name="Text">The row as read, shortened, on one line.</param>
public sealed record BadRow(long Row, string Reason, string Text);

/// <param name="Dataset">Not yet split: every role is <see cref="SplitRole.None"/>.</param>
public sealed record ImportResult(SequenceDataset Dataset, ImportReport Report);
