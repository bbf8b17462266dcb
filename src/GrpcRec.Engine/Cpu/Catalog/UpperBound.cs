using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace GrpcRec.Engine.Cpu.Catalog;

/// <summary>What of a block's items may reach a query's threshold: those whose s·(t·(sum − offset) + radius) + b does.</summary>
/// <param name="offset">Of the sums, by the items' zero point.</param>
/// <param name="t">A query's code is worth this.</param>
/// <param name="radius">Of the block, in units of an item's s.</param>
internal readonly struct UpperBound(int offset, float t, float radius, float threshold)
{
    public float Radius => radius;

    /// <param name="sums">[64] of products of bytes.</param>
    /// <param name="scale">[64] s.</param>
    /// <param name="bias">[64] b and its slack.</param>
    /// <returns>A bit for each item.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public unsafe ulong Reaching(int* sums, float* scale, float* bias) =>
        Reaching(Vector512.Load(sums), scale, bias)
        | (Reaching(Vector512.Load(sums + 16), scale + 16, bias + 16) << 16)
        | (Reaching(Vector512.Load(sums + 32), scale + 32, bias + 32) << 32)
        | (Reaching(Vector512.Load(sums + 48), scale + 48, bias + 48) << 48);

    /// <summary>The same of 16 items.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public unsafe ulong Reaching(Vector512<int> sums, float* scale, float* bias)
    {
        var products = Vector512.ConvertToSingle(sums - Vector512.Create(offset));
        var upper = Vector512.FusedMultiplyAdd(
            Vector512.FusedMultiplyAdd(products, Vector512.Create(t), Vector512.Create(radius)), Vector512.Load(scale), Vector512.Load(bias));
        return Vector512.GreaterThanOrEqual(upper, Vector512.Create(threshold)).ExtractMostSignificantBits();
    }
}
