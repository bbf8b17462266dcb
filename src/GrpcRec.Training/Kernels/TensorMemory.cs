using static TorchSharp.torch;

namespace GrpcRec.Training.Kernels;

/// <summary>Torch's tensors as our own loops see them.</summary>
internal static unsafe class TensorMemory
{
    /// <summary>The memory of a contiguous float32 tensor; dies with it.</summary>
    public static float* Floats(Tensor tensor)
    {
        fixed (byte* first = tensor.bytes)
            return (float*)first;
    }

    /// <summary>Rows in contiguous parts, one for each thread; on this thread alone where there is one.</summary>
    /// <param name="threads">1…rows.</param>
    /// <param name="run">First row, and one past the last.</param>
    public static void ForEachPart(int rows, int threads, Action<int, int> run)
    {
        if (threads == 1)
        {
            run(0, rows);
            return;
        }

        var share = (rows + threads - 1) / threads;
        Parallel.For(0, threads, new ParallelOptions { MaxDegreeOfParallelism = threads }, n => run(Math.Min(rows, n * share), Math.Min(rows, (n + 1) * share)));
    }
}
