using BenchmarkDotNet.Attributes;
using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Benchmarks.Kernels;

/// <summary>The product of every encoder and head, and the LSTM's activation, on each instruction set: data in the first-level cache.</summary>
public unsafe class BlockKernelBenchmarks
{
    /// <summary>Products of one block in a call, so that what the caller costs does not count.</summary>
    public const int Calls = 256;

    private const int MaxDepth = 256;

    private readonly AlignedBuffer _weights = new(MaxDepth * BlockKernel.Columns);
    private readonly AlignedBuffer _inputs = new(BlockKernel.MaxRows * MaxDepth);
    private readonly AlignedBuffer _sums = new(BlockKernel.MaxRows * BlockKernel.Columns);
    private readonly AlignedBuffer _state = new(2 * 16);
    private BlockKernel _kernel = BlockKernel.For(KernelPath.Auto);

    public static IReadOnlyList<KernelPath> Paths { get; } =
        [.. Enum.GetValues<KernelPath>().Where(path => path != KernelPath.Auto && IsSupported(path))];

    [ParamsSource(nameof(Paths))]
    public KernelPath Path { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _kernel = BlockKernel.For(Path);
        var random = new Random(7);
        foreach (var buffer in (AlignedBuffer[])[_weights, _inputs])
        {
            for (var i = 0; i < buffer.Length; i++)
                buffer.Pointer[i] = (float)random.NextDouble() - 0.5f;
        }
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (var buffer in (AlignedBuffer[])[_weights, _inputs, _sums, _state])
            buffer.Dispose();
    }

    [Benchmark(OperationsPerInvoke = Calls)]
    public float OneRow() => Multiply(1, 128);

    [Benchmark(OperationsPerInvoke = Calls)]
    public float SixRows() => Multiply(6, 128);

    [Benchmark(OperationsPerInvoke = Calls)]
    public float Activation()
    {
        for (var call = 0; call < Calls; call++)
            _kernel.Lstm(_weights.Pointer, _state.Pointer, _state.Pointer + 16);
        return _state.Pointer[16];
    }

    private float Multiply(int rows, int depth)
    {
        var starts = stackalloc float*[BlockKernel.MaxRows];
        for (var row = 0; row < rows; row++)
            starts[row] = _weights.Pointer;
        var left = rows;
        for (var call = 0; call < Calls; call++)
        {
            // As the encoder does: in blocks of as many rows as the path's registers hold.
            for (left = rows; left > 0;)
            {
                var next = _kernel.NextRows(left);
                var from = rows - left;
                _kernel.Multiply(next, _weights.Pointer, depth, _inputs.Pointer + (from * MaxDepth), MaxDepth, starts, null, 0, _sums.Pointer + (from * BlockKernel.Columns));
                left -= next;
            }
        }

        return _sums.Pointer[0];
    }

    private static bool IsSupported(KernelPath path)
    {
        try
        {
            BlockKernel.For(path);
            return true;
        }
        catch (EngineException)
        {
            return false;
        }
    }
}
