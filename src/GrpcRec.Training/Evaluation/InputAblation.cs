using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <param name="Input">What the model was given, for example "the last event alone".</param>
/// <param name="Metrics">As of <see cref="ModelEvaluator"/>, over the sample.</param>
public sealed record AblatedInput(string Input, IReadOnlyDictionary<string, double> Metrics);

/// <summary>
/// What a model makes of its inputs: its metrics on a sample of targets when a part of the history is taken away or spoilt. A part whose
/// loss costs nothing is not used.
/// </summary>
public static class InputAblation
{
    /// <summary>Targets of the sample: an AUC or a hit rate is then known to about ±0.02, and the whole takes seconds.</summary>
    public const int DefaultTargets = 2_000;

    /// <param name="targets">At most so many, each of another sequence.</param>
    /// <returns>The whole input first.</returns>
    public static IReadOnlyList<AblatedInput> Run(
        ModelArtifact artifact, SequenceDataset dataset, IReadOnlyList<TaskDefinition> tasks, EvaluationPlan plan, SplitRole role,
        int targets = DefaultTargets, long seed = 1, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(plan);
        var sample = Sample(dataset, role, targets, seed);
        if (sample.Count == 0)
            return [];
        var labels = TaskLabels.Build(dataset, tasks);
        var inputs = new ModelInputs(artifact.Manifest, dataset);
        using var engine = StepEngineFactory.Create(artifact, new EngineOptions { SlotCapacity = 1 });
        var longest = artifact.Manifest.MaxSequenceLength;
        List<(string Name, Ablation Spoil, string? UnknownRequest)> losses =
        [
            ("everything", (_, _, _) => { }, null),
            ("the last 10 events", (history, _, _) => history.KeepLast(10), null),
            ("the last event alone", (history, _, _) => history.KeepLast(1), null),
            ("events in random order", (history, random, _) => history.Shuffle(random), null),
            ("another user's items", (history, random, n) => history.TakeItems(dataset, sample[(n + 1 + random.Next(sample.Count - 1)) % sample.Count]), null),
        ];
        if (inputs.ReadsBehaviors)
            losses.Add(("no behaviours", (history, _, _) => history.ForgetBehaviors(), null));
        foreach (var feature in inputs.KindFeatures)
            losses.Add(($"events without {feature.Name}", (history, _, _) => history.Forget(feature.Name), null));
        foreach (var (feature, _) in inputs.RequestFeatures)
            losses.Add(($"requests without {feature.Name}", (_, _, _) => { }, feature.Name));
        if (sample.Count < 2)
            losses.RemoveAll(loss => loss.Name == "another user's items");

        var results = new List<AblatedInput>();
        var history = new History(inputs, longest);
        foreach (var (name, spoil, unknownRequest) in losses)
        {
            var scorer = new TargetScorer(engine, dataset, labels, inputs, plan) { UnknownRequest = unknownRequest };
            var random = new Random((int)(seed & int.MaxValue));
            for (var n = 0; n < sample.Count; n++)
            {
                cancellation.ThrowIfCancellationRequested();
                var (sequence, target) = sample[n];
                history.Load(dataset, sequence, target);
                spoil(history, random, n);
                if (!engine.TryRent(out var slot))
                    throw new EvaluationException("The engine has no free slot to evaluate in.");
                engine.Advance([new EventRun(slot, 0, history.Count)], history.Items, history.Kinds);
                scorer.Score([(slot, sequence, target)]);
                engine.Return(slot);
            }

            results.Add(new AblatedInput(name, scorer.Metrics.ToDictionary()));
        }

        return results;
    }

    private delegate void Ablation(History history, Random random, int target);

    /// <summary>The last target of each of some sequences.</summary>
    internal static List<(int Sequence, int Target)> Sample(SequenceDataset dataset, SplitRole role, int count, long seed)
    {
        var all = new List<(int, int)>();
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            for (var t = dataset.Offsets[s + 1] - 1; t > dataset.Offsets[s]; t--)
            {
                if (dataset.Roles[t] != role)
                    continue;
                all.Add((s, t));
                break;
            }
        }

        (int, int)[] shuffled = [.. all];
        new Random((int)(seed & int.MaxValue)).Shuffle(shuffled);
        return [.. shuffled.Take(count)];
    }

    /// <summary>The events before a target, the last that the model reads, to be spoilt.</summary>
    private sealed class History(ModelInputs inputs, int longest)
    {
        private readonly int[] _items = new int[longest];
        private readonly int[] _kinds = new int[longest];
        private int _start, _end;

        public int Count { get; private set; }

        public Span<int> Items => _items.AsSpan(_start, Count);

        /// <summary>Behaviours, and what else the model reads of the events.</summary>
        public Span<int> Kinds => _kinds.AsSpan(_start, Count);

        public void Load(SequenceDataset dataset, int sequence, int target)
        {
            Count = Math.Min(longest, target - dataset.Offsets[sequence]);
            (_start, _end) = (0, target);
            dataset.ItemIds.AsSpan(target - Count, Count).CopyTo(_items);
            Read();
        }

        public void KeepLast(int count)
        {
            var cut = Math.Max(0, Count - count);
            (_start, Count) = (cut, Count - cut);
        }

        public void Shuffle(Random random)
        {
            for (var i = Count - 1; i > 0; i--)
            {
                var j = random.Next(i + 1);
                (_items[i], _items[j]) = (_items[j], _items[i]);
                (_kinds[i], _kinds[j]) = (_kinds[j], _kinds[i]);
            }
        }

        /// <summary>The other's items in this user's places, again from its first when they are fewer.</summary>
        public void TakeItems(SequenceDataset dataset, (int Sequence, int Target) other)
        {
            var first = Math.Max(dataset.Offsets[other.Sequence], other.Target - Count);
            for (var i = 0; i < Count; i++)
                _items[i] = dataset.ItemIds[first + (i % (other.Target - first))];
        }

        public void ForgetBehaviors() => Read(knowsBehaviors: false);

        public void Forget(string feature) => Read(feature);

        private void Read(string? unknown = null, bool knowsBehaviors = true)
        {
            for (var i = 0; i < Count; i++)
                _kinds[i] = inputs.KindOf(_end - Count + i, unknown, knowsBehaviors);
        }
    }
}
