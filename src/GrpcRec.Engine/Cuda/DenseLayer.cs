using GrpcRec.Engine.Cuda.Driver;

namespace GrpcRec.Engine.Cuda;

/// <summary>Launches of the dense kernels: y = act(x·Wᵀ + b).</summary>
internal static class DenseLayer
{
    /// <summary>Rows of one launch: the grid's second side counts in 64s up to 65,535.</summary>
    public const int MaxRows = 64 * 65_535;

    private const int Tile = 64, Threads = 256;

    public static CudaFunction Function(CudaModule module, string name) => module.Function(name, Threads);

    public static void Launch(CudaFunction function, CudaStream stream, in DenseArguments arguments) =>
        function.Launch(stream, Ceiling(arguments.Columns, Tile), Ceiling(arguments.Count, Tile), arguments);

    /// <summary>The same over any number of rows, those of <paramref name="arguments"/> being consecutive from the first.</summary>
    /// <param name="outElement">Bytes of an element of the result.</param>
    public static void LaunchAll(CudaFunction function, CudaStream stream, DenseArguments arguments, int count, int outElement)
    {
        for (var first = 0; first < count; first += MaxRows)
        {
            var part = arguments;
            part.In += (ulong)first * (ulong)arguments.LdIn * sizeof(float);
            part.Out += (ulong)first * (ulong)arguments.LdOut * (ulong)outElement;
            part.Count = Math.Min(MaxRows, count - first);
            Launch(function, stream, part);
        }
    }

    public static int Ceiling(int value, int divisor) => (value + divisor - 1) / divisor;

    public static int Pad(int value, int multiple = 64) => Ceiling(value, multiple) * multiple;
}
