using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using GrpcRec.Training.Kernels;
using TorchSharp;
using static GrpcRec.Training.Kernels.TensorMemory;
using static TorchSharp.torch;

namespace GrpcRec.Training.Encoders;

/// <summary>
/// The part of a recurrent layer that cannot be a large product: h after each event from the inputs' part of the sums, from a zero state, with
/// its own gradient. Each thread takes some of the sequences through all of their time, so that threads never wait for each other, weights stay in
/// its cache, and the product of a step runs on <see cref="BlockProduct"/> with the activations behind it. What libtorch does with small
/// products and many passes takes several times longer.
/// Sums stand in blocks of 64 columns: as many units as the cell needs, all of the first sum, then of the second …
/// </summary>
internal sealed unsafe class BlockRecurrence<TCell> : autograd.SingleTensorFunction<BlockRecurrence<TCell>>
    where TCell : struct, IRecurrentCell
{
    private static readonly int UnitsPerBlock = BlockProduct.Columns / TCell.Sums;

    public override string Name => nameof(BlockRecurrence<TCell>);

    /// <summary>H padded to whole blocks.</summary>
    public static int PaddedUnits(int hidden) => (hidden + UnitsPerBlock - 1) / UnitsPerBlock * UnitsPerBlock;

    /// <summary>For each column of the blocks, the row that belongs there of weights with H rows for each gate; <paramref name="padding"/> for none.</summary>
    /// <param name="gate">Of a cell's sum; negative: none.</param>
    public static long[] Order(int hidden, Func<int, int> gate, int padding)
    {
        var order = new long[TCell.Sums * PaddedUnits(hidden)];
        for (var column = 0; column < order.Length; column++)
        {
            var unit = (column / BlockProduct.Columns * UnitsPerBlock) + (column % UnitsPerBlock);
            var from = gate(column % BlockProduct.Columns / UnitsPerBlock);
            order[column] = unit < hidden && from >= 0 ? (from * hidden) + unit : padding;
        }

        return order;
    }

    /// <param name="sums">[N, Sums·padded H] the inputs' part of the sums and the bias, in blocks.</param>
    /// <param name="weights">[Sums·padded H, H] recurrent weights, rows in blocks.</param>
    /// <returns>[N, H]</returns>
    public static Tensor Run(Tensor sums, Tensor weights, PackedSequences packing) => apply(sums, weights, packing.ToTensor());

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var sums = ((Tensor)vars[0]).detach().contiguous();
        var weights = ((Tensor)vars[1]).detach().contiguous();
        var lengths = (Tensor)vars[2];
        var shape = new Shape(sums, weights, lengths);
        var states = empty(shape.Packing.Rows, shape.Hidden);
        var gates = empty_like(sums);
        var cells = empty(shape.Packing.Rows, shape.Units);
        using var packed = new NativeFloats((long)shape.Width * shape.Hidden);
        Pack(Floats(weights), shape, packed.Pointer);
        var (from, w, g, c, h) = ((nint)Floats(sums), (nint)packed.Pointer, (nint)Floats(gates), (nint)Floats(cells), (nint)Floats(states));
        shape.Packing.ForEachPart(get_num_threads(), (first, end) => Forward(shape, first, end, (float*)from, (float*)w, (float*)g, (float*)c, (float*)h));
        ctx.save_for_backward([gates, cells, states, weights, lengths]);
        return states;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var saved = ctx.get_saved_variables();
        var (gates, cells, states, weights) = (saved[0], saved[1], saved[2], saved[3]);
        var gradient = grad_output.contiguous();
        var shape = new Shape(gates, weights, saved[4]);
        var sums = empty_like(gates);
        // The recurrent weights padded to whole blocks of columns, as the second factor of dh = dz·W.
        var columns = BlockProduct.Padded(shape.Hidden);
        using var wide = new NativeFloats((long)shape.Width * columns);
        var w = Floats(weights);
        for (var row = 0; row < shape.Width; row++)
            new ReadOnlySpan<float>(w + ((nint)row * shape.Hidden), shape.Hidden).CopyTo(new Span<float>(wide.Pointer + ((nint)row * columns), shape.Hidden));
        var (p, g, c, dh, dz) = ((nint)wide.Pointer, (nint)Floats(gates), (nint)Floats(cells), (nint)Floats(gradient), (nint)Floats(sums));
        shape.Packing.ForEachPart(get_num_threads(), (first, end) => Backward(shape, first, end, (float*)p, columns, (float*)g, (float*)c, (float*)dh, (float*)dz));

        // dW = Σₜ dz(t)ᵀ·h(t-1), one product over all events; h before the first is zero.
        var packing = shape.Packing;
        if (packing.Steps == 1)
            return [sums, zeros_like(weights), empty(0)];
        var before = empty(packing.Rows - packing.Batch, shape.Hidden);
        for (var t = 1; t < packing.Steps; t++)
        {
            new ReadOnlySpan<float>(Floats(states) + shape.State(t - 1, 0), packing.Active(t) * shape.Hidden)
                .CopyTo(new Span<float>(Floats(before) + ((nint)(packing.Start(t) - packing.Batch) * shape.Hidden), packing.Active(t) * shape.Hidden));
        }

        return [sums, sums.narrow(0, packing.Batch, before.shape[0]).t().mm(before), empty(0)];
    }

    private static void Forward(Shape shape, int first, int end, float* sums, float* packed, float* gates, float* cells, float* states)
    {
        using var zero = new NativeFloats((long)(end - first) * Math.Max(shape.Hidden, shape.Units));
        using var output = new NativeFloats(UnitsPerBlock);
        for (var t = 0; t < shape.Packing.Steps; t++)
        {
            var rows = Math.Min(end, shape.Packing.Active(t)) - first;
            if (rows <= 0)
                return;
            var before = t == 0 ? zero.Pointer : states + shape.State(t - 1, first);
            var cellsBefore = t == 0 ? zero.Pointer : cells + shape.Cell(t - 1, first);
            for (var block = 0; block < shape.Width; block += BlockProduct.Columns)
            {
                var unit = block / TCell.Sums;
                var width = Math.Min(UnitsPerBlock, shape.Hidden - unit);
                for (var row = 0; row < rows;)
                {
                    var count = BlockProduct.NextRows(rows - row);
                    var target = gates + shape.Gate(t, first + row) + block;
                    BlockProduct.Multiply(
                        count, before + ((nint)row * shape.Hidden), shape.Hidden, 1, packed + ((nint)block * shape.Hidden), BlockProduct.Columns,
                        t == 0 ? 0 : shape.Hidden, sums + shape.Gate(t, first + row) + block, shape.Width, target, shape.Width);
                    for (var r = 0; r < count; r++)
                    {
                        TCell.Forward(
                            target + ((nint)r * shape.Width), cellsBefore + ((nint)(row + r) * shape.Units) + unit,
                            cells + shape.Cell(t, first + row + r) + unit, output.Pointer);
                        new ReadOnlySpan<float>(output.Pointer, width).CopyTo(new Span<float>(states + shape.State(t, first + row + r) + unit, width));
                    }

                    row += count;
                }
            }
        }
    }

    private static void Backward(
        Shape shape, int first, int end, float* weights, int columns, float* gates, float* cells, float* stateGradients, float* sumGradients)
    {
        // A sequence whose last event comes earlier finds the zeros that its rows begin with.
        using var zero = new NativeFloats((long)(end - first) * Math.Max(shape.Units, columns));
        using var recurrent = new NativeFloats((long)(end - first) * columns);
        using var cellGradients = new NativeFloats((long)(end - first) * shape.Units);
        using var part = new NativeFloats(UnitsPerBlock);
        for (var t = shape.Packing.Steps - 1; t >= 0; t--)
        {
            var rows = Math.Min(end, shape.Packing.Active(t)) - first;
            // 1. Through the cell: dz of this step, and what goes on to the state before besides the product.
            for (var row = 0; row < rows; row++)
            {
                var cellsBefore = t == 0 ? zero.Pointer : cells + shape.Cell(t - 1, first + row);
                for (var unit = 0; unit < shape.Units; unit += UnitsPerBlock)
                {
                    // Padding units have no gradient from above, and with it none at all.
                    var width = Math.Min(UnitsPerBlock, shape.Hidden - unit);
                    if (width < UnitsPerBlock)
                        new Span<float>(part.Pointer, UnitsPerBlock).Clear();
                    new ReadOnlySpan<float>(stateGradients + shape.State(t, first + row) + unit, width).CopyTo(new Span<float>(part.Pointer, UnitsPerBlock));
                    var later = recurrent.Pointer + ((nint)row * columns) + unit;
                    for (var u = 0; u < UnitsPerBlock; u += 16)
                        (Vector512.Load(part.Pointer + u) + Vector512.Load(later + u)).Store(part.Pointer + u);
                    TCell.Backward(
                        gates + shape.Gate(t, first + row) + (TCell.Sums * unit), cellsBefore + unit, cells + shape.Cell(t, first + row) + unit, part.Pointer,
                        cellGradients.Pointer + ((nint)row * shape.Units) + unit, sumGradients + shape.Gate(t, first + row) + (TCell.Sums * unit));
                }
            }

            // 2. To the state before: dh = dz·W.
            for (var column = 0; column < columns && t > 0; column += BlockProduct.Columns)
            {
                for (var row = 0; row < rows;)
                {
                    var count = BlockProduct.NextRows(rows - row);
                    BlockProduct.Multiply(
                        count, sumGradients + shape.Gate(t, first + row), shape.Width, 1, weights + column, columns, shape.Width,
                        zero.Pointer, 0, recurrent.Pointer + ((nint)row * columns) + column, columns);
                    row += count;
                }
            }
        }
    }

    /// <summary>[blocks, H, 64]: the order in which <see cref="BlockProduct"/> reads them.</summary>
    private static void Pack(float* weights, Shape shape, float* packed)
    {
        for (var row = 0; row < shape.Width; row++)
        {
            var column = packed + ((nint)(row / BlockProduct.Columns) * shape.Hidden * BlockProduct.Columns) + (row % BlockProduct.Columns);
            for (var k = 0; k < shape.Hidden; k++)
                column[(nint)k * BlockProduct.Columns] = weights[((nint)row * shape.Hidden) + k];
        }
    }

    private readonly struct Shape(Tensor sums, Tensor weights, Tensor lengths)
    {
        public PackedSequences Packing { get; } = PackedSequences.FromTensor(lengths);

        /// <summary>Sums·padded H.</summary>
        public int Width { get; } = checked((int)sums.shape[1]);

        public int Hidden { get; } = checked((int)weights.shape[1]);

        public int Units => Width / TCell.Sums;

        public nint Gate(int t, int row) => (nint)Packing.Row(t, row) * Width;

        public nint Cell(int t, int row) => (nint)Packing.Row(t, row) * Units;

        public nint State(int t, int row) => (nint)Packing.Row(t, row) * Hidden;
    }
}
