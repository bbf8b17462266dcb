using System.Numerics;
using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu;

/// <summary>A slot's fading sum of the embeddings of the items that it read, and its part of next_item's query. Equations: <see cref="ModelTensors"/>.</summary>
internal sealed unsafe class ItemMemory
{
    private readonly float[] _embedding, _factors, _gain;

    /// <param name="embedding">[V, E] that next_item ranks by.</param>
    public ItemMemory(ModelArtifact artifact, float[] embedding)
    {
        _embedding = embedding;
        _gain = artifact.WeightArray(ModelTensors.MemoryGain);
        _factors = Array.ConvertAll(artifact.WeightArray(ModelTensors.MemoryDecay), decay => 1 / (1 + MathF.Exp(-decay)));
    }

    /// <summary>Of a slot's state: E, to a multiple of 16.</summary>
    public int StateFloats => (_gain.Length + 15) & ~15;

    /// <summary>m' = σ(decay)∘m + E_out[item], for one item after another.</summary>
    /// <param name="memory">[E] changed.</param>
    public void Advance(float* memory, ReadOnlySpan<int> items)
    {
        fixed (float* table = _embedding, factors = _factors)
        {
            foreach (var item in items)
                MultiplyAdd(memory, factors, table + ((long)item * _gain.Length), memory);
        }
    }

    /// <summary>q += gain∘m.</summary>
    /// <param name="query">[E] changed.</param>
    public void AddTo(float* query, float* memory)
    {
        fixed (float* gain = _gain)
            MultiplyAdd(memory, gain, query, query);
    }

    /// <summary>[E] to = a∘b + c.</summary>
    private void MultiplyAdd(float* a, float* b, float* c, float* to)
    {
        var k = 0;
        for (; k <= _gain.Length - Vector<float>.Count; k += Vector<float>.Count)
            Vector.FusedMultiplyAdd(Vector.Load(a + k), Vector.Load(b + k), Vector.Load(c + k)).Store(to + k);
        for (; k < _gain.Length; k++)
            to[k] = MathF.FusedMultiplyAdd(a[k], b[k], c[k]);
    }
}
