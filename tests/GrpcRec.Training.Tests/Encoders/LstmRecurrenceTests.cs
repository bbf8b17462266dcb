using GrpcRec.Training.Encoders;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Encoders;

[Collection(TorchTests.Name)]
public class LstmRecurrenceTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 3, 16)]
    [InlineData(7, 5, 17)]
    [InlineData(50, 13, 64)]
    [InlineData(3, 64, 128)]
    [InlineData(20, 9, 200)]
    public void Run_AnyShape_GivesStatesAndGradientsOfAnLstm(int steps, int batch, int hidden)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(steps * 31 + hidden);
        // Twice the usual weights, so that gates reach into saturation.
        var input = (randn(steps, batch, 4 * hidden) * 2).requires_grad_();
        var weights = (randn(4 * hidden, hidden) * (2 / Math.Sqrt(hidden))).requires_grad_();
        var upstream = randn(steps, batch, hidden);
        using var order = tensor(LstmRecurrence.GateOrder(hidden));
        var states = LstmRecurrence.Run(
            cat([input, zeros(steps, batch, 1)], 2).index_select(2, order), cat([weights, zeros(1, hidden)], 0).index_select(0, order));
        states.backward([upstream]);

        var exactInput = input.detach().to(ScalarType.Float64).requires_grad_();
        var exactWeights = weights.detach().to(ScalarType.Float64).requires_grad_();
        var exact = Exact(exactInput, exactWeights);
        exact.backward([upstream.to(ScalarType.Float64)]);

        Close(exact, states, 2e-6);
        Close(exactInput.grad!, input.grad!, 1e-5);
        Close(exactWeights.grad!, weights.grad!, 1e-5);
    }

    [Fact]
    public void Run_Twice_GivesTheSameBits()
    {
        using var scope = NewDisposeScope();
        random.manual_seed(3);
        var (sums, weights) = (randn(9, 10, 128), randn(128, 32));
        float[] Gradient()
        {
            using var inner = NewDisposeScope();
            var w = weights.detach().clone().requires_grad_();
            LstmRecurrence.Run(sums.detach().clone().requires_grad_(), w).sum().backward();
            return w.grad!.data<float>().ToArray();
        }

        Assert.Equal(Gradient(), Gradient());
    }

    /// <summary>The equations, from torch's own operations in double precision.</summary>
    private static Tensor Exact(Tensor input, Tensor weights)
    {
        var (h, c) = (zeros(input.shape[1], weights.shape[1], ScalarType.Float64), zeros(input.shape[1], weights.shape[1], ScalarType.Float64));
        var states = new List<Tensor>();
        for (var t = 0; t < input.shape[0]; t++)
        {
            var gates = (input[t] + h.mm(weights.t())).chunk(4, 1);
            c = (gates[1].sigmoid() * c) + (gates[0].sigmoid() * gates[2].tanh());
            h = gates[3].sigmoid() * c.tanh();
            states.Add(h);
        }

        return stack(states);
    }

    private static void Close(Tensor exact, Tensor ours, double tolerance)
    {
        var scale = Math.Max(1e-6, exact.abs().max().item<double>());
        var error = (exact - ours.to(ScalarType.Float64)).abs().max().item<double>() / scale;
        Assert.True(error <= tolerance, $"relative error {error}");
    }
}
