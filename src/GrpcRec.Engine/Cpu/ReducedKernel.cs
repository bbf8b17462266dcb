namespace GrpcRec.Engine.Cpu;

/// <summary>
/// What the reduced precisions do in vectors of one width, beside the integer product itself (<see cref="Int8Kernel"/>).
/// A row's result does not depend on the rows beside it.
/// </summary>
internal abstract unsafe class ReducedKernel
{
    /// <summary>Steps of a hidden state's byte between 0 and 1: -1…1 becomes 1…255 around <see cref="Int8Matrix.ZeroPoint"/>.</summary>
    public const int HiddenSteps = 127;

    /// <summary>u = round(127·h) + 128, ties to even.</summary>
    /// <param name="h">[units] in [-1, 1].</param>
    /// <param name="codes">[units] written.</param>
    /// <param name="units">Multiple of 16.</param>
    public abstract void Quantise(float* h, byte* codes, nint units);

    /// <summary>y[r, j] = first[r][j] + second[r][j] + scale[j]·(codes[r]·q[j] + compensation[j]), all columns.</summary>
    /// <param name="codes">[rows, ≥ 4·Groups], <paramref name="stride"/> bytes between rows.</param>
    /// <param name="first">[rows] pointers to [Width]; so is <paramref name="second"/>, or null.</param>
    /// <param name="sums">[6, 64] scratch, aligned.</param>
    /// <param name="y">[rows, Width] written, <paramref name="yStride"/> floats between rows.</param>
    public abstract void Multiply(
        Int8Path path, Int8Matrix weights, byte* codes, nint stride, int rows, float** first, float** second, int* sums, float* y, nint yStride);

    /// <summary>A whole layer's step in int8: integer products of all blocks and rows, and their activation.</summary>
    public abstract void Lstm(in LstmInt8Step step);

    /// <summary>
    /// y = first + second + x·W of one row with weights in bfloat16, all columns. The sums are the chains of
    /// <see cref="BlockKernel.Multiply"/> over the rounded weights: the same bits.
    /// </summary>
    /// <param name="x">[Depth].</param>
    /// <param name="first">[64·Blocks]; so is <paramref name="second"/>, or null.</param>
    /// <param name="y">[64·Blocks] written.</param>
    public abstract void MultiplyRow(Bf16Matrix weights, float* x, float* first, float* second, float* y);

    /// <summary>
    /// A whole layer's step of one row with weights in bfloat16. The sums are the chains of <see cref="BlockKernel.Multiply"/> over the
    /// rounded weights: the same bits.
    /// </summary>
    /// <param name="step">Of one row; its weights are not read.</param>
    public abstract void LstmRow(Bf16Matrix weights, in LstmStep step);
}
