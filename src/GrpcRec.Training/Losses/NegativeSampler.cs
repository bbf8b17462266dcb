using GrpcRec.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Losses;

/// <summary>
/// Items to be scored against targets, drawn with replacement in proportion to (count + 1)^power, from torch's global generator. One sample
/// serves all events of a step: it costs one product of [N, E] and [E, M].
/// </summary>
internal sealed class NegativeSampler
{
    private readonly double[] _cumulated;
    private readonly float[] _logExpected;

    public NegativeSampler(ItemCatalog items, int count, double power)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var weights = items.Items.Select(item => Math.Pow(item.Count + 1.0, power)).ToArray();
        var total = weights.Sum();
        _cumulated = new double[weights.Length];
        var sum = 0.0;
        for (var item = 0; item < weights.Length; item++)
            _cumulated[item] = sum += weights[item] / total;
        _logExpected = Array.ConvertAll(weights, weight => (float)Math.Log(count * weight / total));
        Sample = new long[count];
    }

    /// <summary>[M] items, some of them perhaps more than once.</summary>
    public long[] Sample { get; }

    /// <summary>[M] log of how often each was to be expected in the sample.</summary>
    public float[] LogExpected => Array.ConvertAll(Sample, item => _logExpected[item]);

    public void Draw()
    {
        using var uniform = rand(Sample.Length, ScalarType.Float64);
        var values = uniform.data<double>();
        for (var i = 0; i < Sample.Length; i++)
        {
            var place = Array.BinarySearch(_cumulated, values[i]);
            Sample[i] = Math.Min(_cumulated.Length - 1, place >= 0 ? place + 1 : ~place);
        }
    }

    /// <summary>[N, M] true where a drawn item is the row's own target.</summary>
    public Tensor Hits(long[] targets) => tensor(targets).unsqueeze(1).eq(tensor(Sample).unsqueeze(0));
}
