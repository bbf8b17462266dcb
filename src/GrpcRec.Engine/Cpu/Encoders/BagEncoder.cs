using System.Runtime.Intrinsics;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>
/// Mean of all events, then dense layers, which are computed when they are read. A slot's state is the events' sum, what rounding took
/// from it, how many they were, and the output of the last reading. The sum runs in the order of the events, so that it does not depend
/// on how they are cut into runs; its rounding errors are carried along (Kahan, CACM 1965) and do not grow with the sequence. The count is a
/// float32, exact up to 2^24 events.
/// </summary>
internal sealed unsafe class BagEncoder(BagWeights weights) : CpuEncoder
{
    private readonly int _stride = PackedMatrix.PaddedUnits(weights.Events.Width);

    // [I padded] the mean, and [H padded to 64] two layers' outputs in turn.
    private readonly AlignedBuffer _mean = new(PackedMatrix.PaddedUnits(weights.Events.Width));
    private readonly AlignedBuffer[] _outputs = [new(PackedMatrix.PaddedWidth(weights.Hidden)), new(PackedMatrix.PaddedWidth(weights.Hidden))];

    public static int StateFloats(BagWeights weights) => (2 * PackedMatrix.PaddedUnits(weights.Events.Width)) + 16 + PackedMatrix.PaddedUnits(weights.Hidden);

    public override void Advance(ReadOnlySpan<EventRun> runs, float** states, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        for (var r = 0; r < runs.Length; r++)
        {
            float* sum = states[r], lost = sum + _stride;
            for (var n = runs[r].Start; n < runs[r].Start + runs[r].Count; n++)
            {
                Add(weights.Events.Item(items[n]), sum, lost);
                Add(weights.Events.Kind(behaviors[n]), sum + weights.Events.ItemWidth, lost + weights.Events.ItemWidth);
            }

            Count(states[r]) += runs[r].Count;
            if (runs[r].Count > 0)
                IsRead(states[r]) = 0;
        }
    }

    public override float* Hidden(float* state)
    {
        var output = state + (2 * _stride) + 16;
        if (IsRead(state) != 0)
            return output;

        var count = MathF.Max(1, Count(state));
        for (var k = 0; k < weights.Events.Width; k++)
            _mean.Pointer[k] = state[k] / count;
        var x = _mean.Pointer;
        for (var layer = 0; layer < weights.Dense.Length; layer++)
        {
            var y = _outputs[layer & 1].Pointer;
            var bias = weights.Bias(layer);
            weights.Dense[layer].Multiply(weights.Kernel, x, 0, 1, &bias, null, y, relu: layer < weights.Dense.Length - 1);
            x = y;
        }

        weights.Kernel.Tanh(x, output, PackedMatrix.PaddedUnits(weights.Hidden));
        IsRead(state) = 1;
        return output;
    }

    public override void Dispose()
    {
        _mean.Dispose();
        foreach (var output in _outputs)
            output.Dispose();
    }

    private ref float Count(float* state) => ref state[2 * _stride];

    /// <summary>1: the output in the state is that of its events. A state of zeros has not been read.</summary>
    private ref float IsRead(float* state) => ref state[(2 * _stride) + 1];

    private static void Add(ReadOnlySpan<float> values, float* sum, float* lost)
    {
        fixed (float* x = values)
        {
            var k = 0;
            for (; k <= values.Length - 16; k += 16)
            {
                Vector512<float> before = Vector512.Load(sum + k), next = Vector512.Load(x + k) - Vector512.Load(lost + k), after = before + next;
                (after - before - next).Store(lost + k);
                after.Store(sum + k);
            }

            for (; k < values.Length; k++)
            {
                float before = sum[k], next = x[k] - lost[k], after = before + next;
                lost[k] = after - before - next;
                sum[k] = after;
            }
        }
    }
}
