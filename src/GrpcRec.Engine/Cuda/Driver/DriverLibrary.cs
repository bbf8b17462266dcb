using System.Reflection;
using System.Runtime.InteropServices;

namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>
/// Which file <c>libcuda.so.1</c> is. By default the system's loader decides; a path can be named once, before the first call, because a
/// process has one driver. GRPCREC_CUDA_DRIVER names it too.
/// </summary>
internal static class DriverLibrary
{
    public const string Name = "libcuda.so.1";
    public const string PathVariable = "GRPCREC_CUDA_DRIVER";

    private static readonly Lock Gate = new();
    private static string? _path = Environment.GetEnvironmentVariable(PathVariable) is { Length: > 0 } path ? path : null;
    private static nint _handle;

    static DriverLibrary() => NativeLibrary.SetDllImportResolver(typeof(DriverLibrary).Assembly, Resolve);

    /// <exception cref="Steps.EngineException">Another driver is in use already.</exception>
    public static void Use(string path)
    {
        lock (Gate)
        {
            if (_handle != 0 && path != _path)
                throw new Steps.EngineException(
                    "another CUDA driver is in use by this process and cannot be replaced: start a new process", new IOException($"in use: {_path ?? Name}; asked for: {path}"));
            _path = path;
        }
    }

    /// <summary>Whether there is a driver at all, and the resolver is in place.</summary>
    public static bool TryLoad()
    {
        lock (Gate)
        {
            if (_handle == 0)
                _ = NativeLibrary.TryLoad(_path ?? Name, typeof(DriverLibrary).Assembly, null, out _handle);
            return _handle != 0;
        }
    }

    /// <summary>A path, for the log alone: no message that a caller may see holds one.</summary>
    public static string Description => _path ?? Name;

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) => name == Name && TryLoad() ? _handle : 0;
}
