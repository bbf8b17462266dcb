namespace GrpcRec.Engine.Steps;

/// <summary>Whether the engines' device works. Told by the engines, asked by who reports health; any thread.</summary>
public sealed class EngineHealth
{
    private readonly Lock _gate = new();
    private readonly HashSet<object> _lost = [];
    private bool _isDegraded;

    /// <summary>An engine answers nothing now: its device is lost and not yet back.</summary>
    public bool IsLost
    {
        get
        {
            lock (_gate)
                return _lost.Count > 0;
        }
    }

    /// <summary>A device was lost and the CPU runs the models in its place.</summary>
    public bool IsDegraded
    {
        get
        {
            lock (_gate)
                return _isDegraded;
        }
    }

    /// <summary>After every change, with a sentence for the log. On the thread of the engine that saw it.</summary>
    public event Action<string>? Changed;

    internal void Lost(object engine, string reason)
    {
        lock (_gate)
            _lost.Add(engine);
        Changed?.Invoke(reason);
    }

    /// <param name="degraded">Another kind of engine took over.</param>
    internal void Recovered(object engine, bool degraded, string how)
    {
        lock (_gate)
        {
            _lost.Remove(engine);
            _isDegraded |= degraded;
        }

        Changed?.Invoke(how);
    }

    internal void Gone(object engine)
    {
        bool changed;
        lock (_gate)
            changed = _lost.Remove(engine);
        if (changed)
            Changed?.Invoke("the engine that had lost its device was let go");
    }
}
