using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.Learning;

/// <summary>
/// A run of events that a model reads from a zero state: inputs Start … Start+Length-1, and after each the next event as a possible target.
/// </summary>
/// <param name="Start">First input, an index into the data set's events.</param>
/// <param name="Length">Inputs, at least 1.</param>
/// <param name="FirstTarget">Targets before this one belong to another window.</param>
internal readonly record struct EventWindow(int Sequence, int Start, int Length, int FirstTarget)
{
    public int LastTarget => Start + Length;

    /// <summary>
    /// Cuts each sequence from its end, so that every training target stands in exactly one window and the last window is full.
    /// </summary>
    /// <param name="maxLength">Inputs of a window at most.</param>
    /// <param name="minContext">
    /// Inputs before a target at least, or all that there are: windows overlap by as many, which costs time and trains on contexts as long as
    /// those that serving reads. 0: no overlap. Below <paramref name="maxLength"/>.
    /// </param>
    /// <param name="random">
    /// Sequences that do not fit into one window are cut elsewhere each time, so that a target is not always read after the same few events.
    /// null: the last window is full.
    /// </param>
    public static List<EventWindow> ForTraining(SequenceDataset dataset, int maxLength, int minContext = 0, Random? random = null)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(minContext, maxLength);
        var windows = new List<EventWindow>();
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            var first = dataset.Offsets[s];
            var target = PreviousTarget(dataset.Offsets[s + 1] - 1);
            var length = random is null || target - first <= maxLength ? maxLength : random.Next(minContext, maxLength) + 1;
            while (target > first)
            {
                var start = Math.Max(first, target - length);
                var firstTarget = start == first ? first + 1 : Math.Min(target, start + Math.Max(1, minContext));
                windows.Add(new EventWindow(s, start, target - start, firstTarget));
                target = PreviousTarget(firstTarget - 1);
                length = maxLength;
            }

            int PreviousTarget(int t)
            {
                while (t > first && dataset.Roles[t] != SplitRole.Train)
                    t--;
                return t;
            }
        }

        return windows;
    }

    /// <summary>
    /// Windows in which every target of a role is read with at least <paramref name="minContext"/> events before it, or all that there are.
    /// With minContext = maxLength that is what serving does: each target after exactly the last maxLength events. A smaller one shares
    /// a pass between neighbouring targets, for a quicker look while training.
    /// </summary>
    public static List<EventWindow> ForEvaluation(SequenceDataset dataset, SplitRole role, int maxLength, int minContext)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minContext, maxLength);
        var windows = new List<EventWindow>();
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            var (first, end) = (dataset.Offsets[s], dataset.Offsets[s + 1]);
            var target = first + 1;
            while (true)
            {
                while (target < end && dataset.Roles[target] != role)
                    target++;
                if (target >= end)
                    break;

                var start = Math.Max(first, target - minContext);
                var last = target;
                for (var t = target + 1; t < end && t - start <= maxLength; t++)
                {
                    if (dataset.Roles[t] == role)
                        last = t;
                }

                windows.Add(new EventWindow(s, start, last - start, target));
                target = last + 1;
            }
        }

        return windows;
    }

    /// <summary>For each sequence with targets of a role: the last <paramref name="maxLength"/> events before the first of them.</summary>
    public static List<EventWindow> BeforeFirstTarget(SequenceDataset dataset, SplitRole role, int maxLength)
    {
        var windows = new List<EventWindow>();
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            var first = dataset.Offsets[s];
            for (var target = first + 1; target < dataset.Offsets[s + 1]; target++)
            {
                if (dataset.Roles[target] != role)
                    continue;
                var start = Math.Max(first, target - maxLength);
                windows.Add(new EventWindow(s, start, target - start, target));
                break;
            }
        }

        return windows;
    }

    /// <summary>Batches to train on: <paramref name="batchSize"/> windows each, drawn; the last may have fewer.</summary>
    /// <remarks>
    /// Of mixed lengths, though batches of like length would take a tenth less time: what such a batch has in common is not the data's, and
    /// each step learns less of it (ML-1M after two epochs: a loss of 6.34 instead of 6.20).
    /// </remarks>
    public static List<EventWindow[]> BatchToTrain(IReadOnlyList<EventWindow> windows, int batchSize, Random random)
    {
        EventWindow[] shuffled = [.. windows];
        random.Shuffle(shuffled);
        return [.. shuffled.Chunk(batchSize)];
    }

    /// <summary>
    /// Batches to evaluate on: windows of like length, about <paramref name="batchSize"/> times the mean length of events in each, so that
    /// nothing is padded.
    /// </summary>
    public static List<EventWindow[]> BatchToEvaluate(IReadOnlyList<EventWindow> windows, int batchSize)
    {
        EventWindow[] sorted = [.. windows.OrderBy(w => w.Length)];
        var events = batchSize * windows.Sum(w => (long)w.Length) / Math.Max(1, windows.Count);
        var batches = new List<EventWindow[]>();
        for (var start = 0; start < sorted.Length;)
        {
            var end = start + 1;
            while (end < sorted.Length && (end + 1L - start) * sorted[end].Length <= events)
                end++;
            batches.Add(sorted[start..end]);
            start = end;
        }

        return batches;
    }
}
