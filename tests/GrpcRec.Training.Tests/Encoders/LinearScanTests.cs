using GrpcRec.Training.Encoders;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Encoders;

[Collection(TorchTests.Name)]
public class LinearScanTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 3, 16)]
    [InlineData(40, 5, 17)]
    [InlineData(200, 2, 33)]
    public void Run_AnyShape_GivesExactStatesAndGradients(int steps, int batch, int width)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(steps);
        var packing = BlockRecurrenceTests.Lengths(steps, batch);
        Tensor factors = rand(steps, batch, width).requires_grad_(), terms = randn(steps, batch, width).requires_grad_(), upstream = randn(packing.Rows, width);
        var states = LinearScan.Run(packing.Pack(factors), packing.Pack(terms), packing);
        states.backward([upstream]);

        Tensor a = factors.detach().to(ScalarType.Float64).requires_grad_(), b = terms.detach().to(ScalarType.Float64).requires_grad_();
        var h = zeros(batch, width, ScalarType.Float64);
        var exact = packing.Pack(stack([.. Enumerable.Range(0, steps).Select(t => h = (a[t] * h) + b[t])]));
        exact.backward([upstream.to(ScalarType.Float64)]);

        foreach (var (expected, actual) in ((Tensor, Tensor)[])[(exact, states), (a.grad!, factors.grad!), (b.grad!, terms.grad!)])
        {
            var scale = Math.Max(1, expected.abs().max().item<double>());
            Assert.True((expected - actual).abs().max().item<double>() < 2e-6 * scale);
        }
    }
}
