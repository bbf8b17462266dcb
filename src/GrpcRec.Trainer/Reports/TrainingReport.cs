using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Relatedness;

namespace GrpcRec.Trainer.Reports;

/// <summary>What is to be known of one training, for a person: <c>report.html</c>, its pictures, and the same as <c>report.json</c>.</summary>
sealed record TrainingReport
{
    public required string Model { get; init; }
    public required string Version { get; init; }
    public required DateTimeOffset TrainedAt { get; init; }

    /// <summary>Of the epochs.</summary>
    public required double Seconds { get; init; }
    public required int BestEpoch { get; init; }

    /// <summary>What chose it.</summary>
    public required string Criterion { get; init; }
    public required TrainingEnd End { get; init; }

    /// <summary>Counts of the data, and the settings, as name and value.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Data { get; init; }
    public required IReadOnlyList<KeyValuePair<string, string>> Settings { get; init; }

    /// <summary>By task, the metric that it is judged by.</summary>
    public required IReadOnlyDictionary<string, string> Headlines { get; init; }

    /// <summary>Test split.</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    /// <summary>[low, high] of each, 95 % over resampled users.</summary>
    public required IReadOnlyDictionary<string, double[]> Intervals { get; init; }

    /// <summary>By task, bins of equal mass.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<CalibrationBin>> Calibration { get; init; }

    /// <summary>The same metrics by baseline.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyDictionary<string, double>> Baselines { get; init; }
    public required IReadOnlyList<EpochRecord> History { get; init; }

    /// <summary>Null for one task.</summary>
    public TaskRelatedness? Relatedness { get; init; }

    /// <summary>What the model makes of its inputs; the whole input first. Empty without a test split.</summary>
    public IReadOnlyList<AblatedInput> Inputs { get; init; } = [];
    public IReadOnlyList<ReportUser> Users { get; init; } = [];
}

/// <summary>One user of the test split: what they did, what came next, and what the model said.</summary>
/// <param name="Key">The caller's own id of the user or session.</param>
/// <param name="Events">The last before the target, oldest first.</param>
/// <param name="EarlierEvents">Those that are not shown.</param>
/// <param name="NextRank">Place of the next item in the ranking; null for a model without next_item.</param>
/// <param name="Recommended">Best first.</param>
/// <param name="Predictions">Of the tasks, for the next item.</param>
sealed record ReportUser(
    string Key, IReadOnlyList<ReportEvent> Events, int EarlierEvents, ReportEvent Next, int? NextRank, IReadOnlyList<ReportItem> Recommended,
    IReadOnlyList<ReportPrediction> Predictions);

/// <param name="Category">Empty when the item has none.</param>
sealed record ReportEvent(string Item, string Category, string Behavior);

/// <param name="Score">next_item logit.</param>
/// <param name="IsNext">The user took it next.</param>
sealed record ReportItem(string Item, string Category, float Score, bool IsNext);

/// <param name="Predicted">Probability of a yes, or the class and its probability.</param>
/// <param name="Truth">What happened; empty when unlabelled.</param>
sealed record ReportPrediction(string Task, string Predicted, string Truth);
