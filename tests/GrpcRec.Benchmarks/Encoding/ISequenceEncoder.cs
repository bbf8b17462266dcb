namespace GrpcRec.Benchmarks.Encoding;

/// <summary>One way to turn whole sequences into hidden states, from ids to numbers that the caller can read.</summary>
public interface ISequenceEncoder : IDisposable
{
    string Name { get; }

    /// <summary>Before a turn of this contestant: settings that the process shares.</summary>
    void Prepare();

    /// <param name="hidden">[B, H] written.</param>
    void Encode(EventBatch batch, Span<float> hidden);
}
