using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Weighting;
using TorchSharp;

namespace GrpcRec.Training.Tests.Learning;

/// <summary>
/// A tensor that nobody disposes of holds memory that the garbage collector does not see. Live tensors are counted at the same place of every
/// epoch: from the second on (Adam's moments come with the first step) there are as many.
/// </summary>
[Collection(TorchTests.Name)]
public sealed class TrainingMemoryTests
{
    public static TheoryData<EncoderKind, WeightingKind> Cases
    {
        get
        {
            var cases = new TheoryData<EncoderKind, WeightingKind>();
            foreach (var weighting in Enum.GetValues<WeightingKind>())
                cases.Add(EncoderKind.Lstm, weighting);
            foreach (var encoder in Enum.GetValues<EncoderKind>().Where(kind => kind is not (EncoderKind.Lstm or EncoderKind.Counts)))
                cases.Add(encoder, WeightingKind.Fixed);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Train_EpochAfterEpoch_HoldsAsManyTensors(EncoderKind encoder, WeightingKind weighting)
    {
        var counts = TensorsByEpoch(encoder, weighting, () => { });
        Assert.Equal(6, counts.Count);
        Assert.Single(counts.Skip(1).Distinct());
    }

    [Fact]
    public void Train_PlantedLeak_IsSeen()
    {
        var leaked = new List<torch.Tensor>();
        var counts = TensorsByEpoch(EncoderKind.Lstm, WeightingKind.Fixed, () => leaked.Add(torch.ones(1).DetachFromDisposeScope()));
        Assert.True(counts[^1] > counts[1]);
        leaked.ForEach(tensor => tensor.Dispose());
    }

    /// <param name="onEpoch">Called at the end of each epoch's steps.</param>
    private static List<long> TensorsByEpoch(EncoderKind encoder, WeightingKind weighting, Action onEpoch)
    {
        using var space = new Workspace();
        var plan = TinyData.Plan(TinyData.NextItem, TinyData.Like, TinyData.Category);
        plan = plan with
        {
            Architecture = plan.Architecture with { Encoder = encoder, Dropout = 0.1, WindowLength = 4 },
            Optimization = plan.Optimization with { Epochs = 6, Patience = 6, Weighting = weighting },
        };
        var counts = new List<long>();
        var progress = new AtValidation(() =>
        {
            onEpoch();
            // What waits for its finaliser is no leak.
            GC.Collect();
            GC.WaitForPendingFinalizers();
            counts.Add(torch.Tensor.TotalCount - TaskGradients.Absent);
        });
        ModelTrainer.Train(TinyData.Cycle(), plan, space.Checkpoint, space.Artifact(), progress, TimeProvider.System, CancellationToken.None);
        return counts;
    }

    private sealed class AtValidation(Action act) : IProgress<TrainingProgressReport>
    {
        public void Report(TrainingProgressReport value)
        {
            if (value.Stage == TrainingStage.Validating)
                act();
        }
    }
}
