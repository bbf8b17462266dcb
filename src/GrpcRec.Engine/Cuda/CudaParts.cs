namespace GrpcRec.Engine.Cuda;

/// <summary>
/// What an engine has taken from the driver, by whichever of its parts: it goes together, last first, and also where a later part could not
/// be made. Left to finalisers, a refused load would hold the device's memory until somebody else ran short of it.
/// </summary>
internal sealed class CudaParts : IDisposable
{
    private readonly Stack<IDisposable> _owned = [];

    public T Own<T>(T part)
        where T : IDisposable
    {
        _owned.Push(part);
        return part;
    }

    public void Dispose()
    {
        while (_owned.TryPop(out var part))
            part.Dispose();
    }
}
