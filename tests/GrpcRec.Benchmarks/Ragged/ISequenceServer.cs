namespace GrpcRec.Benchmarks.Ragged;

/// <summary>Something that answers sequences from many callers at once, each with the same few logits.</summary>
public interface ISequenceServer : IAsyncDisposable
{
    string Name { get; }

    /// <param name="items">Dense item ids, oldest first.</param>
    /// <returns>[<see cref="RaggedModel.Classes"/>] logits.</returns>
    ValueTask<float[]> AnswerAsync(int[] items);
}
