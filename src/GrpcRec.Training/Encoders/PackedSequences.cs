using GrpcRec.Training.Kernels;
using static TorchSharp.torch;

namespace GrpcRec.Training.Encoders;

/// <summary>
/// Where the events of sequences of different lengths stand when nothing is padded: N rows, time first, and at each time the sequences that go
/// on, the longest first, so that the rows of one time are the first of the sequences of the time before. (Torch's PackedSequence.)
/// </summary>
internal sealed class PackedSequences
{
    // [T + 1] the first row of each time, and N.
    private readonly int[] _starts;
    private readonly int[] _lengths;

    /// <param name="lengths">Of the sequences: at least one, each at least 1, none longer than the one before.</param>
    public PackedSequences(int[] lengths)
    {
        if (lengths.Length == 0 || lengths[^1] < 1)
            throw new ArgumentException("every sequence has an event", nameof(lengths));
        for (var b = 1; b < lengths.Length; b++)
        {
            if (lengths[b] > lengths[b - 1])
                throw new ArgumentException($"sequence {b} is longer than the one before", nameof(lengths));
        }

        _lengths = lengths;
        _starts = new int[lengths[0] + 1];
        var active = lengths.Length;
        for (var t = 0; t < lengths[0]; t++)
        {
            while (lengths[active - 1] <= t)
                active--;
            _starts[t + 1] = _starts[t] + active;
        }
    }

    /// <summary>T, the longest one's events.</summary>
    public int Steps => _lengths[0];

    /// <summary>B.</summary>
    public int Batch => _lengths.Length;

    /// <summary>N.</summary>
    public int Rows => _starts[^1];

    /// <summary>How many sequences have an event at a time.</summary>
    public int Active(int t) => _starts[t + 1] - _starts[t];

    /// <summary>The first sequence's row at a time.</summary>
    public int Start(int t) => _starts[t];

    public int Row(int t, int sequence) => _starts[t] + sequence;

    /// <summary>Runs sequences in contiguous parts of about equally many events, one for each thread; on this thread alone where there is one.</summary>
    /// <param name="run">First sequence, and one past the last.</param>
    public void ForEachPart(int threads, Action<int, int> run)
    {
        threads = Math.Clamp(threads, 1, Batch);
        var ends = new int[threads];
        long events = 0;
        for (int b = 0, part = 0; b < Batch; b++)
        {
            events += _lengths[b];
            while (part < threads && events * threads >= (long)(part + 1) * Rows)
                ends[part++] = b + 1;
        }

        TensorMemory.ForEachPart(threads, threads, (first, end) =>
        {
            for (var part = first; part < end; part++)
                run(part == 0 ? 0 : ends[part - 1], ends[part]);
        });
    }

    /// <param name="x">[N, W]</param>
    /// <returns>[T, B, W] with zeros behind a sequence's end.</returns>
    public Tensor Pad(Tensor x)
    {
        var rows = new long[Steps * Batch];
        Array.Fill(rows, Rows);
        for (var t = 0; t < Steps; t++)
        {
            for (var b = 0; b < Active(t); b++)
                rows[(t * Batch) + b] = Row(t, b);
        }

        return cat([x, zeros(1, x.shape[1])], 0).index_select(0, tensor(rows)).view(Steps, Batch, -1);
    }

    /// <param name="x">[T, B, W]</param>
    /// <returns>[N, W]</returns>
    public Tensor Pack(Tensor x)
    {
        var rows = new List<long>(Rows);
        for (var t = 0; t < Steps; t++)
        {
            for (var b = 0; b < Active(t); b++)
                rows.Add((t * Batch) + b);
        }

        return x.reshape(Steps * Batch, -1).index_select(0, tensor(rows.ToArray()));
    }

    /// <summary>[B] int64: what <see cref="FromTensor"/> takes. An autograd function takes tensors alone.</summary>
    public Tensor ToTensor() => tensor(Array.ConvertAll(_lengths, length => (long)length));

    public static PackedSequences FromTensor(Tensor lengths) => new(Array.ConvertAll(lengths.data<long>().ToArray(), length => (int)length));
}
