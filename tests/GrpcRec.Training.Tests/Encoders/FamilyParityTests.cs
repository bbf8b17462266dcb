using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using Xunit.Abstractions;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Encoders;

/// <summary>
/// 1,000 random models of the whole family on the engines and on torch's own layers. Both compute in float32, in orders of their own.
/// Hidden states lie in [-1, 1], and their update is contracting, so that errors of a few 1e-7 a step settle at a few 1e-6: 1e-5 absolute is
/// allowed. A sum of large terms that cancel is uncertain in proportion to the terms, whoever computes it: 2^-23 of the terms' absolute sum
/// is allowed besides, which is below 1e-5 unless gates saturate. Logits have no bound, so theirs is 1e-5 of the largest of the model, plus
/// what the hidden states' difference may do.
/// </summary>
[Collection(TorchTests.Name)]
public class FamilyParityTests(ITestOutputHelper output)
{
    private const int Blocks = 10;
    private const int BlockCases = 100;
    private const double Tolerance = 1e-5;

    public static TheoryData<int> Seeds => new(Enumerable.Range(0, Blocks).Select(block => block * BlockCases));

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Engine_HundredRandomModels_AgreeWithTorch(int first)
    {
        var worst = (Error: 0.0, Case: "");
        var ran = 0;
        for (; ran < BlockCases; ran++)
        {
            using var scope = NewDisposeScope();
            var model = new ParityCase(first + ran);
            var error = Compare(model);
            if (error > worst.Error)
                worst = (error, model.ToString());
        }

        Assert.Equal(BlockCases, ran);
        output.WriteLine($"largest difference of a hidden state: {worst.Error:e1}, {worst.Case}");
    }

    [Fact]
    public void Cases_Thousand_CoverTheFamily()
    {
        var models = Enumerable.Range(0, Blocks * BlockCases).Select(seed => new ParityCase(seed)).ToArray();
        Assert.Equal(1000, models.Length);
        foreach (var kind in Enum.GetValues<EncoderKind>().Where(kind => kind != EncoderKind.Counts)) // which learns nothing
            Assert.InRange(models.Count(model => model.Manifest.Encoder.Kind == kind), 100, 300);
        foreach (var kind in Enum.GetValues<TrunkKind>())
            Assert.InRange(models.Count(model => model.Manifest.Encoder.Trunk.Kind == kind), 150, 350);
        foreach (var reset in (ResetPlacement[])[ResetPlacement.BeforeProduct, ResetPlacement.AfterProduct])
            Assert.InRange(models.Count(model => model.Manifest.Encoder.ResetPlacement == reset), 50, 200);
        Assert.InRange(models.Count(model => model.Manifest.Encoder.Layers == 3), 150, 500);
        Assert.InRange(models.Count(model => model.Manifest.Encoder.BehaviorEmbeddingSize == 0), 300, 700);
        Assert.Equal((500, 1), (models.Max(model => model.Items.Length), models.Min(model => model.Items.Length)));
        Assert.Equal((200, 1), (models.Max(model => model.Manifest.Encoder.HiddenSize), models.Min(model => model.Manifest.Encoder.HiddenSize)));
        Assert.InRange(models.Count(model => model.Engine.Kind == EngineKind.Scalar), 100, 300);
    }

    /// <returns>The largest difference of a hidden state.</returns>
    private static double Compare(ParityCase model)
    {
        using var engine = StepEngineFactory.Create(model.Artifact, model.Engine);
        Assert.True(engine.TryRent(out var slot));
        var torch = new TorchReference(model.Artifact);
        var allowed = Tolerance + (model.Terms * Math.Pow(2, -23));

        // 1. The hidden state where the sequence is cut, and at its end.
        var hidden = new float[engine.HiddenSize];
        engine.Advance([new EventRun(slot, 0, model.Cut)], model.Items, model.Behaviors);
        engine.ReadHidden(slot, hidden);
        var error = Error(model, torch.Hidden(model.Items[..model.Cut], model.Behaviors[..model.Cut]), hidden, allowed, "state at the cut");
        engine.Advance([new EventRun(slot, model.Cut, model.Items.Length - model.Cut)], model.Items, model.Behaviors);
        engine.ReadHidden(slot, hidden);
        var h = torch.Hidden(model.Items, model.Behaviors);
        error = Math.Max(error, Error(model, h, hidden, allowed, "state"));

        // 2. Logits of all items, all tasks.
        int[] items = [.. Enumerable.Range(0, model.Manifest.CatalogSize)];
        var candidates = new float[items.Length * engine.CandidateWidth];
        engine.ScoreCandidates(slot, items, candidates);
        var sequence = new float[engine.SequenceWidth];
        engine.ScoreSequence(slot, sequence);
        Error(model, torch.Candidates(h, items).flatten(), candidates, allowed, "candidates' logits");
        Error(model, torch.Sequence(h), sequence, allowed, "sequence's logits");
        return error;
    }

    /// <param name="allowed">Of values up to 1; in proportion of larger ones.</param>
    private static double Error(ParityCase model, Tensor expected, float[] actual, double allowed, string what)
    {
        var values = expected.data<float>().ToArray();
        Assert.Equal(values.Length, actual.Length);
        var scale = Math.Max(1, values.Max(Math.Abs));
        var largest = 0.0;
        for (var i = 0; i < values.Length; i++)
        {
            var error = Math.Abs(values[i] - actual[i]);
            // Written so that NaN fails too.
            Assert.True(error <= allowed * scale, $"{what}[{i}]: torch {values[i]}, engine {actual[i]}, {allowed * scale:e1} allowed; {model}");
            largest = Math.Max(largest, error);
        }

        return largest;
    }
}
