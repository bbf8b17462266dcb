using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// The vector instructions of one <see cref="KernelPath"/>, chosen once at load: <see cref="For"/> gives the same object each time.
/// The one matrix product of the CPU engine is here: up to six rows by 64 columns of a <see cref="PackedMatrix"/>, the sums in registers.
/// Gates, heads, table building and the scan of the catalogue all run on it.
/// Batch invariance rests here: every sum starts from the same number and takes its products in ascending k, each by the same
/// operation, whatever the number of rows beside it. A sum that is stored and continued later is the same chain.
/// An encoder of another kind adds a method for its cell beside <see cref="Lstm"/> and writes it once over <see cref="ILanes{T}"/>.
/// </summary>
internal abstract unsafe class BlockKernel
{
    /// <summary>Columns of a block: four vectors of 16.</summary>
    public const int Columns = 64;

    /// <summary>Rows of the largest block: with 512-bit vectors 6 × 4 sums and 4 weights fill 28 of 32 registers.</summary>
    public const int MaxRows = 6;

    /// <summary>Floats fetched ahead for each k of a product: two cache lines.</summary>
    public const int AheadFloats = 32;

    private static readonly BlockKernel Wide = new VectorKernel<Lanes512, Vector512<float>>("avx512", 6, 4);

    // 16 registers: 6 × 2 sums, 2 weights and a number.
    private static readonly BlockKernel Middle = new VectorKernel<Lanes256, Vector256<float>>("avx2", 6, 2);
    private static readonly BlockKernel Narrow = AdvSimd.Arm64.IsSupported
        ? new VectorKernel<Lanes128, Vector128<float>>("neon", 6, 4)
        : new VectorKernel<Lanes128, Vector128<float>>("portable", 2, 4);

    /// <summary>"avx512", "avx2", "neon" or "portable".</summary>
    public abstract string Name { get; }

    /// <summary>Rows that are worth blocking: more sums than the registers hold would spill to memory.</summary>
    public abstract int PreferredRows { get; }

    /// <summary>The reduced precisions on the same vectors.</summary>
    public abstract ReducedKernel Reduced { get; }

    /// <exception cref="EngineException">The processor lacks the path's instructions.</exception>
    public static BlockKernel For(KernelPath path) => path switch
    {
        KernelPath.Auto => Vector512.IsHardwareAccelerated && Lanes512.IsSupported ? Wide : Lanes256.IsSupported ? Middle : Narrow,
        KernelPath.Avx512 => Lanes512.IsSupported ? Wide : throw Lacks("Avx512", "AVX-512 (F and DQ)"),
        KernelPath.Avx2 => Lanes256.IsSupported ? Middle : throw Lacks("Avx2", "AVX2 and FMA"),
        KernelPath.Portable => Narrow,
        _ => throw new EngineException($"Path is {path}; Auto, Avx512, Avx2 or Portable are allowed"),
    };

    /// <summary>Rows of the next block when this many are left: blocks of nearly equal size, so that 7 rows are 4 + 3 and not 6 + 1.</summary>
    public int NextRows(int left)
    {
        var blocks = (left + PreferredRows - 1) / PreferredRows;
        return (left + blocks - 1) / blocks;
    }

    /// <summary>z[r, j] = first[r][offset + j] + second[r][offset + j] + Σₖ x[r, k]·w[k, j], for j in 0…63.</summary>
    /// <param name="rows">1…<see cref="MaxRows"/>; <see cref="NextRows"/> says how many are best.</param>
    /// <param name="w">[depth, 64] one block of a <see cref="PackedMatrix"/>.</param>
    /// <param name="x">[rows, ≥ depth] with <paramref name="stride"/> floats between rows.</param>
    /// <param name="first">[rows] pointers to where the sums start.</param>
    /// <param name="second">[rows] pointers to what is added to that; null: nothing is.</param>
    /// <param name="z">[rows, 64] written, <paramref name="zStride"/> floats between rows; aligned to 64 bytes.</param>
    /// <param name="ahead">
    /// [depth·<see cref="AheadFloats"/>] memory that will be read next, half a block of weights, fetched into the cache line by line
    /// meanwhile; null: nothing is. Worth it where weights come from beyond the second-level cache, and several rows share them.
    /// </param>
    /// <param name="next">
    /// [rows] pointers, like <paramref name="first"/>, to what the sums of the next product start at, fetched into the cache meanwhile; null:
    /// nothing is. Read as a hint only: a pointer may be to anything.
    /// </param>
    public abstract void Multiply(
        int rows, float* w, nint depth, float* x, nint stride, float** first, float** second, nint offset, float* z, nint zStride = Columns,
        float* ahead = null, float** next = null);

    /// <summary>sums[n] += Σₖ x[k]·rows[n][k]: the same chain of operations as a column of <see cref="Multiply"/>, over weights that are not packed.</summary>
    /// <param name="rows">[4] pointers to [depth].</param>
    /// <param name="sums">[4] where the sums start; overwritten.</param>
    public abstract void MultiplyFour(float* x, nint depth, float** rows, float* sums);

    /// <summary><see cref="MultiplyFour"/> of eight rows: as many sums as it takes to hide the latency of each.</summary>
    public abstract void MultiplyEight(float* x, nint depth, float** rows, float* sums);

    /// <summary>Σₖ a[k]·b[k], in an order of its own.</summary>
    /// <param name="count">Multiple of 64.</param>
    public abstract float Dot(float* a, float* b, nint count);

    /// <summary><see cref="GateActivation"/> of 16 units.</summary>
    /// <param name="z">[64] scaled sums: 16 of i, f, g, o each.</param>
    /// <param name="c">[16] cell, overwritten.</param>
    /// <param name="h">[16] hidden state, written.</param>
    public abstract void Lstm(float* z, float* c, float* h);

    /// <summary>A whole layer's step: products of all blocks and rows, and their activation.</summary>
    public abstract void Lstm(in LstmStep step);

    /// <summary><see cref="GruActivation.Reset"/>.</summary>
    public abstract void GruReset(float* rz, float* h, float* product, nint units);

    /// <summary><see cref="GruActivation.Update"/>.</summary>
    public abstract void GruUpdate(float* rz, float* n, float* old, float* h, nint units);

    /// <summary><see cref="GruActivation.ResetAndUpdate"/>.</summary>
    public abstract void GruResetAndUpdate(float* rz, float* first, float* second, float* recurrent, float* old, float* h, nint units);

    /// <summary><see cref="GruActivation.Mix"/>.</summary>
    public abstract void GruMix(float* first, float* second, nint n, float* old, float* h, nint units);

    /// <summary><see cref="TanhActivation"/> of scaled sums.</summary>
    public abstract void Tanh(float* z, float* h, nint units);

    /// <summary>y += scale·x.</summary>
    /// <param name="count">Multiple of 16.</param>
    public abstract void AddScaled(float scale, float* x, float* y, nint count);

    /// <summary><see cref="Cpu.Softmax"/> of scaled sums.</summary>
    public abstract void Softmax(float* z, nint count);

    private static EngineException Lacks(string path, string instructions) =>
        new($"this processor has no {instructions}, which Path {path} needs: choose Auto");
}
