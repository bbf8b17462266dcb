namespace GrpcRec.Serving;

/// <summary>Told of what a person should see in a log. Does nothing by itself; the server's writes it down.</summary>
public class ServingObserver
{
    /// <summary>The engine threw: the requests of one batch failed, the scheduler goes on.</summary>
    public virtual void EngineFault(string model, Exception exception)
    {
    }

    /// <summary>The engine's device was lost: the requests of one batch were answered UNAVAILABLE.</summary>
    public virtual void EngineLost(string model, string reason)
    {
    }

    /// <param name="engine">Its description: what was chosen at load, and why.</param>
    public virtual void VersionLoaded(string name, string version, string engine, TimeSpan duration)
    {
    }

    public virtual void VersionUnloaded(string name, string version)
    {
    }

    public virtual void VersionFailed(string name, string version, string reason, Exception? exception)
    {
    }

    /// <param name="previous">Null: none was active.</param>
    public virtual void VersionActivated(string name, string version, string? previous)
    {
    }

    /// <summary>At the start the active version could not be loaded.</summary>
    /// <param name="fallback">The version that answers instead; null: none does.</param>
    public virtual void ActiveVersionUnusable(string name, string version, string? fallback)
    {
    }

    /// <summary>The record of which version is active cannot be read.</summary>
    public virtual void PointerUnreadable(string name, string reason)
    {
    }
}
