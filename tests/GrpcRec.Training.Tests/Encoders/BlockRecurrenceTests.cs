using GrpcRec.Training.Encoders;
using GrpcRec.Training.Kernels;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Encoders;

[Collection(TorchTests.Name)]
public class BlockRecurrenceTests
{
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 1, 1, 1 },
        { 2, 3, 16 },
        { 7, 5, 17 },
        { 50, 13, 64 },
        { 3, 64, 128 },
        { 20, 9, 200 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_LstmOfAnyShape_GivesExactStatesAndGradients(int steps, int batch, int hidden) =>
        AssertExact<LstmCell>(steps, batch, hidden, gates: 4, (input, weights) =>
        {
            var (h, c) = (Zeros(input, weights), Zeros(input, weights));
            return States(input, x =>
            {
                var gates = (x + h.mm(weights.t())).chunk(4, 1);
                c = (gates[1].sigmoid() * c) + (gates[0].sigmoid() * gates[2].tanh());
                return h = gates[3].sigmoid() * c.tanh();
            });
        });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_GruOfAnyShape_GivesExactStatesAndGradients(int steps, int batch, int hidden) =>
        AssertExact<GruCell>(steps, batch, hidden, gates: 3, (input, weights) =>
        {
            var h = Zeros(input, weights);
            return States(input, x =>
            {
                Tensor[] a = x.chunk(3, 1), u = h.mm(weights.t()).chunk(3, 1);
                Tensor r = (a[0] + u[0]).sigmoid(), z = (a[1] + u[1]).sigmoid(), n = (a[2] + (r * u[2])).tanh();
                return h = ((1 - z) * n) + (z * h);
            });
        });

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Run_RnnOfAnyShape_GivesExactStatesAndGradients(int steps, int batch, int hidden) =>
        AssertExact<RnnCell>(steps, batch, hidden, gates: 1, (input, weights) =>
        {
            var h = Zeros(input, weights);
            return States(input, x => h = (x + h.mm(weights.t())).tanh());
        });

    [Fact]
    public void Run_Twice_GivesTheSameBits()
    {
        using var scope = NewDisposeScope();
        random.manual_seed(3);
        var (sums, weights, packing) = (randn(47, 128), randn(128, 32), new PackedSequences([9, 9, 9, 8, 4, 4, 1, 1, 1, 1]));
        float[] Gradient()
        {
            using var inner = NewDisposeScope();
            var w = weights.detach().clone().requires_grad_();
            BlockRecurrence<LstmCell>.Run(sums.detach().clone().requires_grad_(), w, packing).sum().backward();
            return w.grad!.data<float>().ToArray();
        }

        Assert.Equal(Gradient(), Gradient());
    }

    /// <param name="exact">[T, B, G·H] and [G·H, H] to [T, B, H]: the equations, from torch's own operations in double precision.</param>
    private static void AssertExact<TCell>(int steps, int batch, int hidden, int gates, Func<Tensor, Tensor, Tensor> exact)
        where TCell : struct, IRecurrentCell
    {
        using var scope = NewDisposeScope();
        random.manual_seed((steps * 31) + hidden);
        // Twice the usual weights, so that gates reach into saturation; an Elman network, which has none, would then be chaotic.
        var input = (randn(steps, batch, gates * hidden) * 2).requires_grad_();
        var weights = (randn(gates * hidden, hidden) * ((gates == 1 ? 0.7 : 2) / Math.Sqrt(hidden))).requires_grad_();
        // Sequences of every length from all to one event: what stands behind an end has no state and no gradient.
        var packing = Lengths(steps, batch);
        var upstream = randn(packing.Rows, hidden);
        using var inputOrder = tensor(BlockRecurrence<TCell>.Order(hidden, TCell.InputGate, gates * hidden));
        using var recurrentOrder = tensor(BlockRecurrence<TCell>.Order(hidden, TCell.RecurrentGate, gates * hidden));
        var states = BlockRecurrence<TCell>.Run(
            cat([packing.Pack(input), zeros(packing.Rows, 1)], 1).index_select(1, inputOrder), cat([weights, zeros(1, hidden)], 0).index_select(0, recurrentOrder), packing);
        states.backward([upstream]);

        var exactInput = input.detach().to(ScalarType.Float64).requires_grad_();
        var exactWeights = weights.detach().to(ScalarType.Float64).requires_grad_();
        var expected = packing.Pack(exact(exactInput, exactWeights));
        expected.backward([upstream.to(ScalarType.Float64)]);

        Close(expected, states, 2e-6);
        Close(exactInput.grad!, input.grad!, 1e-5);
        Close(exactWeights.grad!, weights.grad!, 1e-5);
    }

    internal static PackedSequences Lengths(int steps, int batch)
    {
        var random = new Random(steps + batch);
        return new PackedSequences([.. Enumerable.Range(0, batch).Select(b => b == 0 ? steps : 1 + random.Next(steps)).OrderDescending()]);
    }

    private static Tensor Zeros(Tensor input, Tensor weights) => zeros(input.shape[1], weights.shape[1], ScalarType.Float64);

    private static Tensor States(Tensor input, Func<Tensor, Tensor> step) => stack([.. Enumerable.Range(0, (int)input.shape[0]).Select(t => step(input[t]))]);

    private static void Close(Tensor exact, Tensor ours, double tolerance)
    {
        var scale = Math.Max(1e-6, exact.abs().max().item<double>());
        var error = (exact - ours.to(ScalarType.Float64)).abs().max().item<double>() / scale;
        Assert.True(error <= tolerance, $"relative error {error}");
    }
}
