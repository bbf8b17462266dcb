using System.Text;

namespace GrpcRec.Training.Optimizers;

/// <summary>
/// An optimiser's moments on disk: a mark, the kind, and for each parameter its name, its steps, its count of numbers and the numbers as
/// float32. Whether the file is whole is told by the checkpoint's digest; what is read is still held against what is due.
/// </summary>
internal static unsafe class OptimizerFile
{
    private const uint Mark = 0x31504F47; // "GOP1"
    private const int Part = 1 << 20;

    /// <param name="slots">Name, steps, and where the numbers lie.</param>
    public static void Write(string file, OptimizerKind kind, IReadOnlyList<(string Name, long Steps, (nint Pointer, long Length) Memory)> slots)
    {
        using var stream = new FileStream(file, FileMode.Create, FileAccess.Write);
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Mark);
        writer.Write((int)kind);
        writer.Write(slots.Count);
        foreach (var (name, steps, memory) in slots)
        {
            writer.Write(name);
            writer.Write(steps);
            writer.Write(memory.Length);
            for (long done = 0; done < memory.Length; done += Part)
                writer.Write(new ReadOnlySpan<byte>((float*)memory.Pointer + done, (int)Math.Min(Part, memory.Length - done) * sizeof(float)));
        }

        writer.Flush();
        stream.Flush(flushToDisk: true);
    }

    /// <param name="slots">Name, and where the numbers belong.</param>
    /// <returns>Steps, by slot.</returns>
    /// <exception cref="InvalidDataException">The file is of another optimiser or model, or cut short.</exception>
    public static long[] Read(string file, OptimizerKind kind, IReadOnlyList<(string Name, (nint Pointer, long Length) Memory)> slots)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read);
        using var reader = new BinaryReader(stream, Encoding.UTF8);
        try
        {
            if (reader.ReadUInt32() != Mark || reader.ReadInt32() != (int)kind || reader.ReadInt32() != slots.Count)
                throw new InvalidDataException("it is of another optimiser or model");
            var steps = new long[slots.Count];
            for (var i = 0; i < steps.Length; i++)
            {
                var (name, memory) = slots[i];
                if (reader.ReadString() != name)
                    throw new InvalidDataException($"it does not hold {name} where that is due");
                steps[i] = reader.ReadInt64();
                if (reader.ReadInt64() != memory.Length)
                    throw new InvalidDataException($"its {name} has another size");
                for (long done = 0; done < memory.Length; done += Part)
                    stream.ReadExactly(new Span<byte>((float*)memory.Pointer + done, (int)Math.Min(Part, memory.Length - done) * sizeof(float)));
            }

            return steps;
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException("it is cut short", e);
        }
    }
}
