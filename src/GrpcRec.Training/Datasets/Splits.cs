using System.Globalization;
using GrpcRec.Engine.Models;

namespace GrpcRec.Training.Datasets;

/// <summary>
/// Decides which events are targets of which part. The first event of a sequence is never a target: there is nothing before it.
/// Each split also counts the items' events of the training part, which is the popularity that a model may know, and keeps of each context
/// column the values that the training part has.
/// </summary>
public static class Splits
{
    /// <summary>
    /// The last event of each sequence tests, the one before validates, the rest trains. Needs three events:
    /// a sequence of two trains with its second, one of one is input to nothing.
    /// </summary>
    /// <exception cref="SplitException">No sequence has four events, so that a part has no target.</exception>
    public static SequenceDataset LeaveOneOut(SequenceDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        var roles = new SplitRole[dataset.EventCount];
        var training = new bool[dataset.EventCount];
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            int start = dataset.Offsets[s], end = dataset.Offsets[s + 1];
            var held = end - start >= 3 ? 2 : 0;
            for (var t = start; t < end; t++)
            {
                training[t] = t < end - held;
                roles[t] = t == start ? SplitRole.None : training[t] ? SplitRole.Train : t == end - 1 ? SplitRole.Test : SplitRole.Validation;
            }
        }

        return Apply(dataset, roles, training, "leave-one-out needs sequences of at least four events");
    }

    /// <summary>By time: the latest share of all events tests, the share before it validates. Events of one instant stay together, in the later part.</summary>
    /// <exception cref="SplitException">A share is out of its bounds, or a part has no target.</exception>
    public static SequenceDataset ByTime(SequenceDataset dataset, double validationShare = 0.1, double testShare = 0.1)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        CheckShare(validationShare, nameof(validationShare));
        CheckShare(testShare, nameof(testShare));
        if (validationShare + testShare >= 1)
            throw new SplitException(string.Create(CultureInfo.InvariantCulture, $"Validation {validationShare} and test {testShare} leave nothing to train on; their sum must be below 1."));
        if (dataset.EventCount == 0)
            throw new SplitException("The data has no events.");

        long[] times = [.. dataset.TimestampsMs];
        Array.Sort(times);
        var testFrom = times[From(testShare)];
        var validationFrom = times[From(validationShare + testShare)];
        return ByInstant(dataset, validationFrom, testFrom, "the events lie in too few instants for these shares");

        int From(double share) => Math.Clamp((int)Math.Round(times.Length * (1 - share)), 0, times.Length - 1);
    }

    /// <summary>By date: events from <paramref name="validationFrom"/> on validate, those from <paramref name="testFrom"/> on test.</summary>
    /// <exception cref="SplitException">The dates are in the wrong order, or a part has no target.</exception>
    public static SequenceDataset ByDate(SequenceDataset dataset, DateTimeOffset validationFrom, DateTimeOffset testFrom)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        if (validationFrom >= testFrom)
            throw new SplitException(string.Create(CultureInfo.InvariantCulture, $"Validation begins at {validationFrom:u}, test at {testFrom:u}; the test must begin later."));
        return ByInstant(dataset, validationFrom.ToUnixTimeMilliseconds(), testFrom.ToUnixTimeMilliseconds(), "move the dates into the data's time range");
    }

    private static SequenceDataset ByInstant(SequenceDataset dataset, long validationFromMs, long testFromMs, string advice)
    {
        var roles = new SplitRole[dataset.EventCount];
        var training = new bool[dataset.EventCount];
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            for (var t = dataset.Offsets[s]; t < dataset.Offsets[s + 1]; t++)
            {
                var time = dataset.TimestampsMs[t];
                training[t] = time < validationFromMs;
                roles[t] = t == dataset.Offsets[s] ? SplitRole.None : training[t] ? SplitRole.Train : time < testFromMs ? SplitRole.Validation : SplitRole.Test;
            }
        }

        return Apply(dataset, roles, training, advice);
    }

    /// <summary>The data set with these roles, after a check that each part has a target.</summary>
    /// <param name="training">[N] The event belongs to the training part, as target or as input.</param>
    internal static SequenceDataset Apply(SequenceDataset dataset, SplitRole[] roles, bool[] training, string advice)
    {
        foreach (var part in (SplitRole[])[SplitRole.Train, SplitRole.Validation, SplitRole.Test])
        {
            if (Array.IndexOf(roles, part) < 0)
                throw new SplitException($"No event is left to {(part == SplitRole.Train ? "train on" : part == SplitRole.Validation ? "validate on" : "test on")}: {advice}.");
        }

        var counts = new long[dataset.Items.Count];
        for (var t = 0; t < training.Length; t++)
        {
            if (training[t])
                counts[dataset.ItemIds[t]]++;
        }

        var items = dataset.Items.Items.Select((item, id) => item with { Count = counts[id] }).ToArray();
        var contexts = new SortedDictionary<string, ContextColumn>(StringComparer.Ordinal);
        foreach (var (name, column) in dataset.Contexts)
            contexts[name] = column.OfTraining(training);
        return dataset.With(roles, new ItemCatalog(items), contexts, dataset.Fingerprint);
    }

    private static void CheckShare(double share, string name)
    {
        if (!(share > 0 && share < 1))
            throw new SplitException(string.Create(CultureInfo.InvariantCulture, $"{name} is {share}; it must be above 0 and below 1."));
    }
}
