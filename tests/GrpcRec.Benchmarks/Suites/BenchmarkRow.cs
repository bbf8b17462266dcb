namespace GrpcRec.Benchmarks.Suites;

/// <summary>Which way a ratio is good.</summary>
public enum RatioGoal
{
    /// <summary>A figure to know, with no goal.</summary>
    None,
    AtLeast,
    AtMost,
}

/// <summary>One line of a table: what was measured, beside what, and what is to be reached.</summary>
public sealed record BenchmarkRow
{
    /// <summary>Stable: the documents and the checks refer to it, for example <c>lstm_f32_b16</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Oriented as in the design's table of goals: most often theirs / ours of times, so that 2 means twice as fast.</summary>
    public required double Ratio { get; init; }

    /// <summary>Null with <see cref="RatioGoal.None"/>.</summary>
    public double? Goal { get; init; }

    public RatioGoal Direction { get; init; } = RatioGoal.AtLeast;

    /// <summary>What ours is compared with, for example "ONNX Runtime 1.31".</summary>
    public required string Against { get; init; }

    public required double Ours { get; init; }

    public required double Theirs { get; init; }

    /// <summary>Of <see cref="Ours"/> and <see cref="Theirs"/>.</summary>
    public required string Unit { get; init; }

    /// <summary>Rounds behind the medians.</summary>
    public required int Repeats { get; init; }

    /// <summary>(q3 - q1) / median, the larger of the two sides'.</summary>
    public required double Spread { get; init; }

    /// <summary>What is counted, errors of both sides, further contestants. Empty when the name says it all.</summary>
    public string Note { get; init; } = "";

    /// <summary>Null when there is no goal.</summary>
    public bool? Met => Direction switch
    {
        RatioGoal.AtLeast when Goal is { } goal => Ratio >= goal,
        RatioGoal.AtMost when Goal is { } goal => Ratio <= goal,
        _ => null,
    };

    /// <summary>A row of a speed-up: the medians of theirs over ours.</summary>
    /// <param name="scale">Of seconds to the unit: 1e6 for µs.</param>
    public static BenchmarkRow SpeedUp(
        string name, double? goal, string against, Timing.TimingSeries ours, Timing.TimingSeries theirs, string unit = "µs", double scale = 1e6, string note = "")
    {
        ArgumentNullException.ThrowIfNull(ours);
        ArgumentNullException.ThrowIfNull(theirs);
        return new BenchmarkRow
        {
            Name = name,
            Ratio = theirs.Median / ours.Median,
            Goal = goal,
            Direction = goal is null ? RatioGoal.None : RatioGoal.AtLeast,
            Against = against,
            Ours = ours.Median * scale,
            Theirs = theirs.Median * scale,
            Unit = unit,
            Repeats = ours.Rounds,
            Spread = Math.Max(ours.Spread, theirs.Spread),
            Note = note,
        };
    }
}
