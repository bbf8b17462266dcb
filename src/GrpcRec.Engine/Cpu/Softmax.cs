using System.Runtime.CompilerServices;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Softmax of sums that come in scaled by log₂e, so that each share is one power of two: 2^(z - max) / Σ. The largest is subtracted first:
/// no power overflows, whatever the sums are. Absolute error against exact arithmetic ≤ 4e-7; the shares add to 1 within that of each.
/// </summary>
internal static unsafe class Softmax
{
    /// <param name="z">[count] overwritten with the shares.</param>
    /// <param name="count">Multiple of 16, ≥ 16.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Apply<TLanes, TVector>(float* z, nint count)
        where TLanes : struct, ILanes<TVector>
        where TVector : struct
    {
        var most = TLanes.Load(z);
        for (nint k = TLanes.Width; k < count; k += TLanes.Width)
            most = TLanes.Max(most, TLanes.Load(z + k));
        var lanes = stackalloc float[16];
        TLanes.Store(most, lanes);
        var largest = lanes[0];
        for (var k = 1; k < TLanes.Width; k++)
            largest = MathF.Max(largest, lanes[k]);

        var subtracted = TLanes.Broadcast(largest);
        TVector sum = default;
        for (nint k = 0; k < count; k += TLanes.Width)
        {
            var power = TLanes.Exp2(TLanes.Subtract(TLanes.Load(z + k), subtracted));
            TLanes.Store(power, z + k);
            sum = TLanes.Add(sum, power);
        }

        var total = TLanes.Broadcast(TLanes.Sum(sum));
        for (nint k = 0; k < count; k += TLanes.Width)
            TLanes.Store(TLanes.Divide(TLanes.Load(z + k), total), z + k);
    }
}
