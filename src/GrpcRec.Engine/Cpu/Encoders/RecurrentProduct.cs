using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>
/// Weights that multiply hidden states, in one of the precisions. Immutable; what a product works in belongs to the encoder. A row's
/// result does not depend on the rows beside it.
/// </summary>
internal abstract unsafe class RecurrentProduct(int width) : IDisposable
{
    /// <summary>Columns with padding, a multiple of 64.</summary>
    public int Width => width;

    /// <summary>The rows of a layer's weights, placed and scaled as the layout says.</summary>
    /// <param name="source">[Gates·H, H], row-major.</param>
    public static RecurrentProduct Create(Precision precision, BlockKernel kernel, Int8Path path, GateLayout layout, float[] source) => precision switch
    {
        Precision.Float32 => new Float32Product(kernel, PackedMatrix.FromGates(layout, source)),
        Precision.Bf16 => new Bf16Product(kernel, PackedMatrix.FromGates(layout, source)),
        Precision.Int8 => new Int8Product(kernel, path, Int8Matrix.FromGates(layout, source)),
        _ => throw new ArgumentOutOfRangeException(nameof(precision)),
    };

    /// <summary>y[r] = first[r] + second[r] + x[r]·W, all columns.</summary>
    /// <param name="x">[rows, H padded to 16] hidden states in [-1, 1], <paramref name="stride"/> floats between rows.</param>
    /// <param name="rows">At most what <paramref name="scratch"/> was made for.</param>
    /// <param name="first">[rows] pointers to <see cref="Width"/> floats each; so is <paramref name="second"/>, or null.</param>
    /// <param name="y">[rows, Width] written, <paramref name="yStride"/> floats between rows; aligned to 64 bytes.</param>
    public abstract void Multiply(ProductScratch scratch, float* x, nint stride, int rows, float** first, float** second, float* y, nint yStride);

    public abstract void Dispose();

    private sealed class Float32Product(BlockKernel kernel, PackedMatrix weights) : RecurrentProduct(weights.Width)
    {
        public override void Multiply(ProductScratch scratch, float* x, nint stride, int rows, float** first, float** second, float* y, nint yStride) =>
            weights.Multiply(kernel, x, stride, rows, first, second, y, relu: false, yStride);

        public override void Dispose() => weights.Dispose();
    }

    /// <summary>One row, whose product is bound by memory, reads words of two weights; several read the same rounded numbers as floats.</summary>
    private sealed class Bf16Product : RecurrentProduct
    {
        private readonly BlockKernel _kernel;
        private readonly PackedMatrix _weights;
        private readonly Bf16Matrix _words;

        public Bf16Product(BlockKernel kernel, PackedMatrix weights)
            : base(weights.Width)
        {
            (_kernel, _weights) = (kernel, weights);
            _words = new Bf16Matrix(weights);
        }

        public override void Multiply(ProductScratch scratch, float* x, nint stride, int rows, float** first, float** second, float* y, nint yStride)
        {
            if (rows == 1)
                _kernel.Reduced.MultiplyRow(_words, x, first[0], second is null ? null : second[0], y);
            else
                _weights.Multiply(_kernel, x, stride, rows, first, second, y, relu: false, yStride);
        }

        public override void Dispose()
        {
            _weights.Dispose();
            _words.Dispose();
        }
    }

    /// <summary>States in steps of 1/127, weights with a scale for each output channel.</summary>
    private sealed class Int8Product(BlockKernel kernel, Int8Path path, Int8Matrix weights) : RecurrentProduct(weights.Width)
    {
        public override void Multiply(ProductScratch scratch, float* x, nint stride, int rows, float** first, float** second, float* y, nint yStride)
        {
            for (var r = 0; r < rows; r++)
                kernel.Reduced.Quantise(x + (r * stride), scratch.Codes + (r * scratch.Stride), PackedMatrix.PaddedUnits(weights.Depth));
            kernel.Reduced.Multiply(path, weights, scratch.Codes, scratch.Stride, rows, first, second, scratch.Sums, y, yStride);
        }

        public override void Dispose() => weights.Dispose();
    }
}
