using System.Globalization;

namespace GrpcRec.Training.Events;

/// <summary>What is kept of a file, and how much of the machine reading it may take.</summary>
public sealed record CleaningRules
{
    /// <summary>
    /// Users with fewer events, and items with fewer, are dropped, again and again until none is left.
    /// Where sequences are sessions (by column), a session counts as a user. 1: none are dropped.
    /// </summary>
    public int MinUserEvents { get; init; } = 1;

    /// <inheritdoc cref="MinUserEvents"/>
    public int MinItemEvents { get; init; } = 1;

    /// <summary>Rows that repeat an earlier one (same user, item, behaviour and time) are dropped. Without times nothing repeats.</summary>
    public bool DropDuplicates { get; init; } = true;

    /// <summary>Share of bad rows, 0 to 1, past which the import fails.</summary>
    public double MaxBadRowShare { get; init; } = 0.01;

    /// <summary>A longer pause begins a new sequence "user#n". null: one sequence a user. Needs times.</summary>
    public TimeSpan? SessionGap { get; init; }
    public ImportLimits Limits { get; init; } = new();

    /// <exception cref="ImportException">A rule is out of its bounds.</exception>
    public void Validate()
    {
        Check(MinUserEvents >= 1, nameof(MinUserEvents), MinUserEvents, "from 1");
        Check(MinItemEvents >= 1, nameof(MinItemEvents), MinItemEvents, "from 1");
        Check(MaxBadRowShare is >= 0 and <= 1, nameof(MaxBadRowShare), MaxBadRowShare, "0 to 1");
        Check(SessionGap is null || SessionGap > TimeSpan.Zero, nameof(SessionGap), SessionGap, "above 0");
        Check(Limits.MemoryBytes >= ImportLimits.LeastMemoryBytes, nameof(Limits.MemoryBytes), Limits.MemoryBytes, $"from {ImportLimits.LeastMemoryBytes}");
        Check(Limits.SpillBytes >= 0, nameof(Limits.SpillBytes), Limits.SpillBytes, "from 0");
        Check(Limits.Threads is >= 1 and <= 256, nameof(Limits.Threads), Limits.Threads, "1 to 256");
        Check(Limits.MaxRows is >= 1 and <= int.MaxValue / 2, nameof(Limits.MaxRows), Limits.MaxRows, $"1 to {int.MaxValue / 2}");
        Check(Limits.MaxSequences >= 1, nameof(Limits.MaxSequences), Limits.MaxSequences, "from 1");
        Check(Limits.MaxItems >= 1, nameof(Limits.MaxItems), Limits.MaxItems, "from 1");
        Check(Limits.MaxCategories >= 1, nameof(Limits.MaxCategories), Limits.MaxCategories, "from 1");
    }

    private static void Check(bool holds, string rule, object? value, string bound)
    {
        if (!holds)
            throw new ImportException(string.Create(CultureInfo.InvariantCulture, $"The rule {rule} is {value}; it must be {bound}."));
    }
}

/// <summary>Bounds on one import. Past one, it stops with an error that names it.</summary>
public sealed record ImportLimits
{
    /// <summary>Below this DuckDB cannot sort.</summary>
    public const long LeastMemoryBytes = 128L << 20;

    /// <summary>
    /// DuckDB's working memory, for cleaning and sorting; what does not fit goes to disk. Whatever the file's size, an import takes this,
    /// and the result itself (21 bytes an event kept, and the ids).
    /// </summary>
    public long MemoryBytes { get; init; } = 512L << 20;

    /// <summary>Disk for what does not fit.</summary>
    public long SpillBytes { get; init; } = 64L << 30;

    /// <summary>Where the import's own directory is made, and removed at its end. null: the system's temporary directory.</summary>
    public string? SpillDirectory { get; init; }
    public int Threads { get; init; } = 2;

    /// <summary>Rows of the file.</summary>
    public int MaxRows { get; init; } = 100_000_000;

    /// <summary>Sequences kept.</summary>
    public int MaxSequences { get; init; } = 20_000_000;

    /// <summary>Items kept: each costs an embedding row, and time in every ranking.</summary>
    public int MaxItems { get; init; } = 5_000_000;

    /// <summary>Categories kept.</summary>
    public int MaxCategories { get; init; } = 100_000;
}
