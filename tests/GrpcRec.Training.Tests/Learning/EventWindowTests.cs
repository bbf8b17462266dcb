using CsCheck;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;

namespace GrpcRec.Training.Tests.Learning;

public class EventWindowTests
{
    private static readonly Gen<SequenceDataset> AnyData =
        Gen.OneOf(Gen.Const(SplitRole.Train), Gen.Const(SplitRole.Validation), Gen.Const(SplitRole.Test), Gen.Const(SplitRole.None))
            .Array[1, 40].Array[1, 5].Select(WithRoles);

    [Fact]
    public void ForTraining_AnyRoles_UsesEveryTrainingTargetOnce() =>
        Gen.Select(AnyData, Gen.Int[1, 12]).Sample((data, maxLength) =>
        {
            var windows = EventWindow.ForTraining(data, maxLength);
            Assert.All(windows, window => Assert.InRange(window.Length, 1, maxLength));
            Assert.Equal(Targets(data, SplitRole.Train), Covered(data, windows, SplitRole.Train));
        });

    [Fact]
    public void ForTraining_CutAtRandom_UsesEveryTrainingTargetOnceWithItsContext() =>
        Gen.Select(AnyData, Gen.Int[1, 12], Gen.Int[0, 11], Gen.Int).Sample((data, maxLength, context, seed) =>
        {
            var minContext = Math.Min(maxLength - 1, context);
            var windows = EventWindow.ForTraining(data, maxLength, minContext, new Random(seed));
            Assert.Equal(Targets(data, SplitRole.Train), Covered(data, windows, SplitRole.Train));
            AssertContexts(data, windows, maxLength, minContext);
        });

    [Fact]
    public void ForTraining_CutAtRandom_CutsLongSequencesElsewhereAndLeavesShortOnesWhole()
    {
        var data = TinyData.Cycle(sequences: 30, length: 25);
        HashSet<int> Starts(int maxLength, int seed) => [.. EventWindow.ForTraining(data, maxLength, 0, new Random(seed)).Select(window => window.Start)];
        Assert.NotEqual(Starts(7, seed: 1), Starts(7, seed: 2));
        Assert.Equal(Starts(7, seed: 1), Starts(7, seed: 1));
        Assert.Equal(Starts(24, seed: 1), Starts(24, seed: 2));
    }

    [Fact]
    public void ForEvaluation_AnyRoles_ScoresEveryTargetOnceWithItsContext() =>
        Gen.Select(AnyData, Gen.Int[1, 12], Gen.Int[1, 12]).Sample((data, maxLength, context) =>
        {
            var minContext = Math.Min(maxLength, context);
            var windows = EventWindow.ForEvaluation(data, SplitRole.Test, maxLength, minContext);
            Assert.Equal(Targets(data, SplitRole.Test), Covered(data, windows, SplitRole.Test));
            AssertContexts(data, windows, maxLength, minContext);
        });

    [Fact]
    public void BatchToTrain_Windows_KeepsEachAndRepeatsBySeed()
    {
        var windows = EventWindow.ForTraining(TinyData.Cycle(sequences: 30, length: 25), 7);
        var batches = EventWindow.BatchToTrain(windows, 8, new Random(3));
        Assert.Equal(windows.OrderBy(w => w.Start), batches.SelectMany(b => b).OrderBy(w => w.Start));
        Assert.Equal(batches.SelectMany(b => b), EventWindow.BatchToTrain(windows, 8, new Random(3)).SelectMany(b => b));
        Assert.NotEqual(batches.SelectMany(b => b), EventWindow.BatchToTrain(windows, 8, new Random(4)).SelectMany(b => b));
    }

    [Fact]
    public void BatchToEvaluate_Windows_KeepsEachAmongItsLikes()
    {
        var windows = EventWindow.ForTraining(TinyData.Cycle(sequences: 30, length: 25), 7);
        var batches = EventWindow.BatchToEvaluate(windows, 8);
        Assert.Equal(windows.OrderBy(w => w.Start), batches.SelectMany(b => b).OrderBy(w => w.Start));
        Assert.Equal(batches.SelectMany(b => b).Select(w => w.Length).Order(), batches.SelectMany(b => b).Select(w => w.Length));
        Assert.All(batches, batch => Assert.True(batch.Length * batch[^1].Length <= 8 * 7));
    }

    private static void AssertContexts(SequenceDataset data, List<EventWindow> windows, int maxLength, int minContext)
    {
        foreach (var window in windows)
        {
            Assert.InRange(window.Length, 1, maxLength);
            var available = window.FirstTarget - data.Offsets[window.Sequence];
            Assert.True(window.FirstTarget - window.Start >= Math.Min(available, minContext));
        }
    }

    private static List<int> Targets(SequenceDataset data, SplitRole role) =>
        [.. Enumerable.Range(0, data.EventCount).Where(t => data.Roles[t] == role && Array.IndexOf(data.Offsets, t) < 0)];

    private static List<int> Covered(SequenceDataset data, List<EventWindow> windows, SplitRole role) =>
        [.. windows.SelectMany(w => Enumerable.Range(w.FirstTarget, w.LastTarget - w.FirstTarget + 1)).Where(t => data.Roles[t] == role).Order()];

    private static SequenceDataset WithRoles(SplitRole[][] roles)
    {
        var offsets = new int[roles.Length + 1];
        for (var s = 0; s < roles.Length; s++)
            offsets[s + 1] = offsets[s] + roles[s].Length;
        var count = offsets[^1];
        return new SequenceDataset
        {
            Items = new ItemCatalog([new CatalogItem("a", 1)]), Behaviors = ["view"], Categories = [], SequenceKeys = new string[roles.Length],
            Offsets = offsets, ItemIds = new int[count], BehaviorIds = new byte[count], TimestampsMs = new long[count], Values = new float[count],
            Labels = new Dictionary<string, float[]>(), Roles = [.. roles.SelectMany(r => r)],
            Fingerprint = new DataFingerprint(new string('0', 64), count, roles.Length),
        };
    }
}
