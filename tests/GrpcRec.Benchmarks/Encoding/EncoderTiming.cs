using GrpcRec.Benchmarks.Suites;
using GrpcRec.Benchmarks.Timing;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>Encoders as contestants over the same batches.</summary>
public static class EncoderTiming
{
    /// <param name="hidden">H.</param>
    public static Contestant Of(ISequenceEncoder encoder, EventBatch[] batches, int hidden)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        ArgumentNullException.ThrowIfNull(batches);
        var output = new float[batches[0].Size * hidden];
        var next = 0;
        return new Contestant(encoder.Name, () => encoder.Encode(batches[next++ % batches.Length], output), encoder.Prepare);
    }

    /// <summary>One series per encoder, in their order.</summary>
    public static IReadOnlyList<TimingSeries> Measure(BenchmarkContext context, EventBatch[] batches, int hidden, params IEnumerable<ISequenceEncoder> encoders)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Timer.Measure([.. encoders.Select(encoder => Of(encoder, batches, hidden))]);
    }
}
