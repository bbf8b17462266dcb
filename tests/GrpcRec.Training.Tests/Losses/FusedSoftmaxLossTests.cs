using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Losses;

[Collection(TorchTests.Name)]
public class FusedSoftmaxLossTests
{
    [Theory]
    [InlineData(1, 2, 1, 1)]
    [InlineData(7, 5, 3, 2)]
    [InlineData(64, 33, 8, 1)]
    [InlineData(50, 64, 64, 2)]
    [InlineData(100, 65, 17, 3)]
    [InlineData(300, 1000, 100, 2)]
    [InlineData(200, 20_000, 20, 2)]
    public void Compute_AnyShape_GivesLossAndGradientsOfCrossEntropy(int rows, int items, int width, int threads)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(rows * 31 + items);
        // Logits to ±30, so that a softmax that is not shifted by its largest logit would be caught.
        Tensor[] ours = [(randn(rows, width) * 10 / Math.Sqrt(width)).requires_grad_(), randn(items, width).requires_grad_(), randn(items).requires_grad_()];
        Tensor[] exact = [.. ours.Select(t => t.detach().to(ScalarType.Float64).requires_grad_())];
        var targets = randint(0, items, [rows]);

        var (loss, surrogate) = FusedSoftmaxLoss.Compute(ours[0], ours[1], ours[2], targets.data<long>().ToArray(), threads);
        surrogate.backward();
        var expected = nn.functional.cross_entropy(addmm(exact[2], exact[0], exact[1].t(), 1, 1), targets);
        expected.backward();

        Assert.Equal(expected.item<double>(), loss, 1e-5 * Math.Max(1, loss));
        for (var i = 0; i < ours.Length; i++)
        {
            var scale = Math.Max(1e-6, exact[i].grad!.abs().max().item<double>());
            var error = (ours[i].grad! - exact[i].grad!).abs().max().item<double>() / scale;
            Assert.True(error <= 1e-5, $"gradient {i}: relative error {error}");
        }
    }

    [Theory]
    [InlineData(1, 2, 1)]
    [InlineData(100, 65, 3)]
    [InlineData(300, 40, 2)]
    public void Compute_RepeatedItems_GivesLossAndGradientsOfCrossEntropy(int rows, int items, int threads)
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

        var (loss, surrogate) = FusedSoftmaxLoss.Compute(ours[0], ours[1], ours[2], past.Targets, threads, ours[3], past);
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

        Assert.Equal(expected.item<double>(), loss, 1e-5 * Math.Max(1, loss));
        for (var i = 0; i < ours.Length; i++)
        {
            var scale = Math.Max(1e-6, exact[i].grad!.abs().max().item<double>());
            var error = (ours[i].grad! - exact[i].grad!).abs().max().item<double>() / scale;
            Assert.True(error <= 1e-5, $"gradient {i}: relative error {error}");
        }
    }

    [Fact]
    public void Compute_SameThreads_GivesTheSameBits()
    {
        using var scope = NewDisposeScope();
        random.manual_seed(5);
        var (query, embedding, bias) = (randn(500, 24), randn(300, 24), randn(300));
        var targets = randint(0, 300, [500]).data<long>().ToArray();
        float[] Gradient()
        {
            using var inner = NewDisposeScope();
            var e = embedding.detach().clone().requires_grad_();
            FusedSoftmaxLoss.Compute(query, e, bias, targets, threads: 2).Surrogate.backward();
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
    }

    [Fact]
    public void Compute_NotANumber_IsSeenInTheLoss()
    {
        using var scope = NewDisposeScope();
        var (loss, _) = FusedSoftmaxLoss.Compute(full(3, 2, float.NaN), ones(5, 2), zeros(5), [0, 1, 2]);
        Assert.False(double.IsFinite(loss));
    }

    [Fact]
    public void Compute_TargetOutOfRange_Throws()
    {
        using var scope = NewDisposeScope();
        Assert.Throws<ArgumentOutOfRangeException>(() => FusedSoftmaxLoss.Compute(ones(1, 1), ones(2, 1), zeros(2), [2]));
    }
}
