using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Losses;

[Collection(TorchTests.Name)]
public class FusedSoftmaxLossTests
{
    private const double Float32 = 1e-5;

    /// <summary>Factors, logits and P are each rounded by up to 2^-9, some of which cancels in the sums.</summary>
    private const double Bf16 = 1e-2;

    public static TheoryData<int, int, int, int> Shapes { get; } = new()
    {
        { 1, 2, 1, 1 }, { 7, 5, 3, 2 }, { 64, 33, 8, 1 }, { 50, 64, 64, 2 }, { 100, 65, 17, 3 }, { 300, 1000, 100, 2 }, { 200, 20_000, 20, 2 },
    };

    /// <summary>Chunks of bf16 products that are full, and ones that are not.</summary>
    public static TheoryData<int, int, int, int> ChunkedShapes { get; } = new() { { 256, 2_000, 16, 2 }, { 1_300, 2_017, 24, 2 }, { 1_100, 17_000, 8, 1 } };

    // Logits to ±30, so that a softmax that is not shifted by its largest logit would be caught.
    [Theory]
    [MemberData(nameof(Shapes))]
    public void Compute_AnyShape_GivesLossAndGradientsOfCrossEntropy(int rows, int items, int width, int threads) =>
        Compare(rows, items, width, 10, Float32, (query, embedding, bias, targets) => FusedSoftmaxLoss.Compute(query, embedding, bias, targets, threads));

    [Theory]
    [MemberData(nameof(Shapes))]
    [MemberData(nameof(ChunkedShapes))]
    public void Compute_Bf16Products_GiveLossAndGradientsOfCrossEntropy(int rows, int items, int width, int threads) =>
        Compare(rows, items, width, 1, Bf16, (query, embedding, bias, targets) => ReducedSoftmaxLoss.Compute(query, embedding, bias, targets, threads));

    private static void Compare(int rows, int items, int width, double scale, double tolerance, Func<Tensor, Tensor, Tensor, long[], (double Loss, Tensor Surrogate)> compute)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(rows * 31 + items);
        Tensor[] ours = [(randn(rows, width) * scale / Math.Sqrt(width)).requires_grad_(), randn(items, width).requires_grad_(), randn(items).requires_grad_()];
        Tensor[] exact = [.. ours.Select(t => t.detach().to(ScalarType.Float64).requires_grad_())];
        var targets = randint(0, items, [rows]);

        var (loss, surrogate) = compute(ours[0], ours[1], ours[2], targets.data<long>().ToArray());
        surrogate.backward();
        var expected = nn.functional.cross_entropy(addmm(exact[2], exact[0], exact[1].t(), 1, 1), targets);
        expected.backward();
        AssertClose(expected.item<double>(), loss, exact, ours, tolerance);
    }

    private static void AssertClose(double expected, double loss, Tensor[] exact, Tensor[] ours, double tolerance)
    {
        Assert.Equal(expected, loss, tolerance * Math.Max(1, loss));
        for (var i = 0; i < ours.Length; i++)
        {
            var scale = Math.Max(1e-6, exact[i].grad!.abs().max().item<double>());
            var error = (ours[i].grad! - exact[i].grad!).abs().max().item<double>() / scale;
            Assert.True(error <= tolerance, $"gradient {i}: relative error {error}");
        }
    }

    [Theory]
    [InlineData(1, 2, 1, false)]
    [InlineData(100, 65, 3, false)]
    [InlineData(300, 40, 2, false)]
    [InlineData(300, 40, 2, true)]
    public void Compute_RepeatedItems_GivesLossAndGradientsOfCrossEntropy(int rows, int items, int threads, bool reduced)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(rows);
        var draw = new Random(rows);
        const int width = 9, reach = 12;
        var data = TinyData.Of([.. Enumerable.Range(0, rows + reach).Select(_ => draw.Next(items))], items);
        int[] events = [.. Enumerable.Range(0, rows).Select(n => n + reach)];
        var past = new LabelledRows(null!, [], events, [], [.. events.Select(e => (long)data.ItemIds[e])], [.. events.Select(e => e - draw.Next(1, reach + 1))], data);
        Tensor[] ours = [randn(rows, width).requires_grad_(), randn(items, width).requires_grad_(), randn(items).requires_grad_(), (randn(4) * 3).requires_grad_()];
        Tensor[] exact = [.. ours.Select(t => t.detach().to(ScalarType.Float64).requires_grad_())];

        var (loss, surrogate) = reduced
            ? ReducedSoftmaxLoss.Compute(ours[0], ours[1], ours[2], past.Targets, threads, ours[3], past)
            : FusedSoftmaxLoss.Compute(ours[0], ours[1], ours[2], past.Targets, threads, ours[3], past);
        surrogate.backward();
        // The terms as a product with ones where they belong: 1, 2-3, 4-7, 8-15 events ago.
        var ones = new double[rows * items * 4];
        for (var n = 0; n < rows; n++)
        {
            for (var e = past.Starts[n]; e < events[n]; e++)
            {
                var at = ((n * items) + data.ItemIds[e]) * 4;
                Array.Clear(ones, at, 4);
                ones[at + (int)Math.Log2(events[n] - e)] = 1;
            }
        }

        var logits = addmm(exact[2], exact[0], exact[1].t(), 1, 1) + tensor(ones, [rows, items, 4]).matmul(exact[3]);
        var expected = nn.functional.cross_entropy(logits, tensor(past.Targets));
        expected.backward();

        AssertClose(expected.item<double>(), loss, exact, ours, reduced ? Bf16 : Float32);
    }

    /// <summary>What a plan's loss is made of: bf16 where the processor has it and there are items enough, and where nobody forbids it.</summary>
    [Fact]
    public void Create_ManyItems_TakesBf16UnlessToldOtherwise()
    {
        using var scope = NewDisposeScope();
        var data = TinyData.Cycle(items: 2_000, sequences: 4);
        var labels = TaskLabels.Build(data, [TinyData.NextItem]);
        using var model = new MultiTaskModel(TrainingPlanRules.Manifest(TinyData.Plan(TinyData.NextItem), data, labels, DateTimeOffset.UnixEpoch), dropout: 0);
        using var batch = WindowBatch.Create(data, labels, SplitRole.Train, new ModelInputs(model.Parameters.Manifest, data), [.. EventWindow.ForTraining(data, 10)]);
        var query = randn(batch.Tasks[0].Targets.Length, 8);
        double Loss(NextItemPlan plan) => NextItemLoss.Create(plan, data.Items).Compute(query, model.Heads, batch.Tasks[0]).Loss;
        var (exact, reduced) = (FusedSoftmaxLoss.Compute(query, model.Heads, batch.Tasks[0]).Loss, ReducedSoftmaxLoss.Compute(query, model.Heads, batch.Tasks[0]).Loss);
        Assert.NotEqual(exact, reduced);
        Assert.Equal(exact, Loss(new() { Float32Products = true }));
        Assert.Equal(ReducedSoftmaxLoss.IsSupported ? reduced : exact, Loss(new()));
        Assert.False(ReducedSoftmaxLoss.IsFaster(1_999));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Compute_SameThreads_GivesTheSameBits(bool reduced)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(5);
        var (query, embedding, bias) = (randn(500, 24), randn(300, 24), randn(300));
        var targets = randint(0, 300, [500]).data<long>().ToArray();
        float[] Gradient()
        {
            using var inner = NewDisposeScope();
            var e = embedding.detach().clone().requires_grad_();
            (reduced ? ReducedSoftmaxLoss.Compute(query, e, bias, targets, threads: 2) : FusedSoftmaxLoss.Compute(query, e, bias, targets, threads: 2)).Surrogate.backward();
            return e.grad!.data<float>().ToArray();
        }

        Assert.Equal(Gradient(), Gradient());
    }

    [Fact]
    public void Compute_HopelessTarget_GivesFiniteLoss()
    {
        using var scope = NewDisposeScope();
        // e^-500 is 0 in float32: a loss taken from the probability would be infinite.
        var (loss, _) = FusedSoftmaxLoss.Compute(ones(1, 1), tensor(new float[] { 500, 0 }, [2L, 1]), zeros(2), [1]);
        Assert.Equal(500, loss, 1e-3);
        Assert.Equal(500, ReducedSoftmaxLoss.Compute(ones(1, 1), tensor(new float[] { 500, 0 }, [2L, 1]), zeros(2), [1]).Loss, 1e-3); // 500 has few bits
    }

    [Fact]
    public void Compute_NotANumber_IsSeenInTheLoss()
    {
        using var scope = NewDisposeScope();
        Assert.False(double.IsFinite(FusedSoftmaxLoss.Compute(full(3, 2, float.NaN), ones(5, 2), zeros(5), [0, 1, 2]).Loss));
        Assert.False(double.IsFinite(ReducedSoftmaxLoss.Compute(full(3, 2, float.NaN), ones(5, 2), zeros(5), [0, 1, 2]).Loss));
    }

    [Fact]
    public void Compute_TargetOutOfRange_Throws()
    {
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentOutOfRangeException>(() => FusedSoftmaxLoss.Compute(ones(1, 1), ones(2, 1), zeros(2), [2]));
        Assert.Throws<ArgumentOutOfRangeException>(() => ReducedSoftmaxLoss.Compute(ones(1, 1), ones(2, 1), zeros(2), [2]));
    }
}
