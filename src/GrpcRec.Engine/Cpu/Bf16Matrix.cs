namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Recurrent weights rounded to bfloat16, two in a word, so that one row's product streams half the memory. Packed by block of 64
/// columns: [depth, 32 words]; words 0…15 hold columns 0…15 (low half) and 16…31 (high half), words 16…31 the other 32. Of an LSTM these
/// are i, f, g and o of 16 units.
/// </summary>
internal sealed unsafe class Bf16Matrix : IDisposable
{
    /// <summary>Words of one k of a block.</summary>
    public const int Words = 2 * PackedMatrix.UnitsPerBlock;

    private readonly AlignedBuffer _data;

    /// <param name="weights">Packed gates; overwritten with their rounded values, for products of several rows.</param>
    public Bf16Matrix(PackedMatrix weights)
    {
        (Blocks, Depth) = (weights.Blocks, weights.Depth);
        _data = new AlignedBuffer((long)Blocks * Depth * Words);
        for (var block = 0; block < Blocks; block++)
        {
            var source = (uint*)weights.Block(block);
            var target = Block(block);
            for (var k = 0; k < Depth; k++, source += BlockKernel.Columns, target += Words)
            {
                for (var j = 0; j < BlockKernel.Columns; j++)
                    source[j] = Rounded(source[j]);
                for (var j = 0; j < PackedMatrix.UnitsPerBlock; j++)
                {
                    target[j] = (source[j] >> 16) | source[j + 16];
                    target[j + 16] = (source[j + 32] >> 16) | source[j + 48];
                }
            }
        }
    }

    public int Blocks { get; }

    /// <summary>K.</summary>
    public int Depth { get; }

    public long Bytes => _data.Bytes;

    /// <summary>[Depth, <see cref="Words"/>].</summary>
    public uint* Block(int block) => (uint*)_data.Pointer + ((long)block * Depth * Words);

    public void Dispose() => _data.Dispose();

    /// <summary>To the nearest number whose low half is zero, ties to even. A weight is finite and far from the largest float.</summary>
    private static uint Rounded(uint bits) => (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000;
}
