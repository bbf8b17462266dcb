using GrpcRec.Training.Losses;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Losses;

[Collection(TorchTests.Name)]
public class ChunkedSoftmaxLossTests
{
    [Theory]
    [InlineData(1, 2, 1, 1)]
    [InlineData(7, 5, 3, 3)]
    [InlineData(64, 33, 8, 16)]
    [InlineData(50, 33, 8, 50)]
    [InlineData(50, 33, 8, 0)]
    public void Compute_AnyChunk_GivesLossAndGradientsOfCrossEntropy(int rows, int items, int width, int chunk)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(rows * 31 + items);
        // Logits to ±30, so that a softmax that is not shifted by its largest logit would be caught.
        Tensor[] ours = [(randn(rows, width) * 10).requires_grad_(), randn(items, width).requires_grad_(), randn(items).requires_grad_()];
        Tensor[] torchs = [.. ours.Select(t => t.detach().clone().requires_grad_())];
        var targets = randint(0, items, [rows]);

        var (loss, surrogate) = ChunkedSoftmaxLoss.Compute(ours[0], ours[1], ours[2], targets, chunk);
        surrogate.backward();
        var expected = nn.functional.cross_entropy(addmm(torchs[2], torchs[0], torchs[1].t(), 1, 1), targets);
        expected.backward();

        Assert.Equal(expected.item<float>(), loss, 1e-4 * Math.Max(1, loss));
        for (var i = 0; i < ours.Length; i++)
        {
            var scale = Math.Max(1e-3, torchs[i].grad!.abs().max().item<float>());
            Assert.True((ours[i].grad! - torchs[i].grad!).abs().max().item<float>() <= 1e-5 * scale, $"gradient {i}");
        }
    }

    [Fact]
    public void Compute_HopelessTarget_GivesFiniteLoss()
    {
        using var scope = NewDisposeScope();
        // e^-500 is 0 in float32: a loss taken from the probability would be infinite.
        var (loss, _) = ChunkedSoftmaxLoss.Compute(ones(1, 1), tensor(new float[] { 500, 0 }, [2L, 1]), zeros(2), tensor(new long[] { 1 }));
        Assert.Equal(500, loss, 1e-3);
    }
}
