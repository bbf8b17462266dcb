using System.Runtime.InteropServices;
using System.Text;
using GrpcRec.Engine.Steps;
using static GrpcRec.Engine.Cuda.Driver.CudaDriver;

namespace GrpcRec.Engine.Cuda.Driver;

/// <summary>The kernels of a fat binary, as the driver has loaded them into a context.</summary>
internal sealed unsafe class CudaModule : SafeHandle
{
    private const long MaxImageBytes = 256L << 20;

    private readonly CudaContext _context;
    private readonly string _path;
    private readonly Dictionary<string, CudaFunction> _functions = new(StringComparer.Ordinal);

    /// <exception cref="EngineException">The file cannot be read, or has nothing for this device.</exception>
    public CudaModule(CudaContext context, string path)
        : base(0, ownsHandle: true)
    {
        (_context, _path) = (context, path);
        var image = Read(path);
        using var scope = context.Enter();
        nint module = 0;
        CudaStatus status;
        fixed (byte* bytes = image)
            status = cuModuleLoadData(&module, bytes);
        if (status == CudaStatus.NoBinaryForGpu)
            throw new EngineException(
                $"the file of CUDA kernels has none for {context.Name} (compute capability {context.Capability / 10}.{context.Capability % 10}; 7.0 and later are supported)", Where());
        Check(status, nameof(cuModuleLoadData) + "(");
        SetHandle(module);
    }

    public override bool IsInvalid => handle == 0;

    /// <param name="threads">Of a block.</param>
    /// <exception cref="EngineException">The module has not got it.</exception>
    public CudaFunction Function(string name, int threads)
    {
        lock (_functions)
        {
            if (_functions.TryGetValue(name, out var known))
                return known;
            using var scope = _context.Enter();
            nint function = 0;
            CudaStatus status;
            fixed (byte* text = Encoding.UTF8.GetBytes(name + '\0'))
                status = cuModuleGetFunction(&function, handle, text);
            if (status == CudaStatus.NotFound)
                throw new EngineException($"the file of CUDA kernels has no {name} for {_context.Name}: it belongs to another build of this program; build it again (docs/CUDA.md)", Where());
            Check(status, nameof(cuModuleGetFunction) + "(");
            return _functions[name] = new CudaFunction(_context, name, function, threads);
        }
    }

    protected override bool ReleaseHandle()
    {
        var module = handle;
        _context.Free(() => _ = cuModuleUnload(module));
        return true;
    }

    /// <summary>For the log: a message may reach callers, who see no paths.</summary>
    private IOException Where() => new($"the file is {_path}");

    /// <summary>With a zero byte at the end, in case that it is PTX text.</summary>
    private byte[] Read(string path)
    {
        try
        {
            var length = new FileInfo(path).Length;
            if (length > MaxImageBytes)
                throw new EngineException($"the file of CUDA kernels has {length} bytes; at most {MaxImageBytes} are read", Where());
            return [.. File.ReadAllBytes(path), 0];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new EngineException("the file of CUDA kernels cannot be read: build it (docs/CUDA.md) or name it with --cuda-kernels", exception);
        }
    }
}
