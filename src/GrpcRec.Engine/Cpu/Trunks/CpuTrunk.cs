using System.Runtime.Intrinsics;

namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>Runs a trunk for one sequence and tiles of candidates. A candidate's result does not depend on which others share its tile.</summary>
internal abstract unsafe class CpuTrunk : IDisposable
{
    /// <summary>Candidates of a tile at most.</summary>
    public const int TileRows = CpuScratch.TileRows;

    private readonly TrunkWeights _weights;
    private readonly AlignedBuffer _projection, _rows, _zero;

    protected CpuTrunk(TrunkWeights weights)
    {
        _weights = weights;
        // A whole cache line more than a multiple of it: rows that are a power of two apart would share the cache's sets.
        Stride = PackedMatrix.PaddedUnits(2 * weights.Embedding) + 16;
        _projection = new AlignedBuffer(weights.Projection.Width);
        _zero = new AlignedBuffer(weights.Projection.Width);
        _rows = new AlignedBuffer((long)TileRows * Stride);
    }

    /// <summary>[TileRows, Stride] e ‖ x of the tile's candidates.</summary>
    protected float* Rows => _rows.Pointer;

    protected nint Stride { get; }

    /// <summary>[TileRows] where sums start.</summary>
    protected PointerBuffer First { get; } = new(TileRows);

    protected PointerBuffer Second { get; } = new(TileRows);

    /// <summary>Takes the sequence that the next tiles belong to.</summary>
    /// <param name="state">[H + R] the encoder's output and the embeddings of the request's features.</param>
    public virtual void Begin(float* state)
    {
        var zero = _zero.Pointer;
        _weights.Projection.Multiply(_weights.Kernel, state, 0, 1, &zero, null, _projection.Pointer, relu: false);
    }

    /// <param name="items">At most <see cref="TileRows"/>, checked.</param>
    public abstract void Run(ReadOnlySpan<int> items);

    /// <param name="task">Place among the candidate tasks but next_item.</param>
    /// <returns>[items, OutputWidth] what the task's tower reads, zero past S; valid until the next tile.</returns>
    public abstract float* Output(int task);

    public virtual void Dispose()
    {
        foreach (var buffer in new IDisposable[] { _projection, _rows, _zero, First, Second })
            buffer.Dispose();
    }

    /// <summary>Fills <see cref="Rows"/>: x = p∘e, and e where its part of the product is not read from a table.</summary>
    /// <param name="embedding">[V, E].</param>
    protected void Gather(ReadOnlySpan<int> items, float[] embedding, bool isTabulated)
    {
        fixed (float* table = embedding)
        {
            for (var r = 0; r < items.Length; r++)
            {
                var e = table + ((long)items[r] * _weights.Embedding);
                var row = Rows + (r * Stride);
                if (!isTabulated)
                    new ReadOnlySpan<float>(e, _weights.Embedding).CopyTo(new Span<float>(row, _weights.Embedding));
                Multiply(_projection.Pointer, e, row + _weights.Embedding, _weights.Embedding);
            }
        }
    }

    private static void Multiply(float* a, float* b, float* product, int count)
    {
        var k = 0;
        for (; k <= count - 16; k += 16)
            (Vector512.Load(a + k) * Vector512.Load(b + k)).Store(product + k);
        for (; k < count; k++)
            product[k] = a[k] * b[k];
    }
}
