namespace GrpcRec.Engine.Steps;

/// <summary>Whether the engines' device works. Told by the engines, asked by who reports health; any thread.</summary>
public sealed class EngineHealth
{
    private readonly Lock _gate = new();
    private readonly HashSet<object> _engines = [], _lost = [], _degraded = [];

    /// <summary>There are engines that were made on a device.</summary>
    public bool HasEngines
    {
        get
        {
            lock (_gate)
                return _engines.Count > 0;
        }
    }

    /// <summary>An engine answers nothing now: its device is lost and not yet back.</summary>
    public bool IsLost
    {
        get
        {
            lock (_gate)
                return _lost.Count > 0;
        }
    }

    /// <summary>An engine lost its device and the CPU runs its model in its place.</summary>
    public bool IsDegraded
    {
        get
        {
            lock (_gate)
                return _degraded.Count > 0;
        }
    }

    /// <summary>After every change, with a sentence for the log; null: nothing that anybody must know. On the thread of the engine that saw it.</summary>
    public event Action<string?>? Changed;

    internal void Made(object engine)
    {
        bool changed;
        lock (_gate)
        {
            changed = _engines.Count == 0;
            _engines.Add(engine);
        }

        if (changed)
            Changed?.Invoke(null);
    }

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
            if (degraded)
                _degraded.Add(engine);
            else
                _degraded.Remove(engine);
        }

        Changed?.Invoke(how);
    }

    internal void Gone(object engine)
    {
        bool wasLost, changed;
        lock (_gate)
        {
            wasLost = _lost.Remove(engine);
            changed = _degraded.Remove(engine) | (_engines.Remove(engine) && _engines.Count == 0);
        }

        if (wasLost || changed)
            Changed?.Invoke(wasLost ? "the engine that had lost its device was let go" : null);
    }
}
