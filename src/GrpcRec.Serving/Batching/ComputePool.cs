using System.ComponentModel.DataAnnotations;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Serving.Batching;

/// <summary>
/// The threads that run engines, shared by all versions of all models, so that the machine is never oversubscribed. A version has one lane
/// on each of several workers (<see cref="BatchScheduler"/>); a lane's engine and slots are its worker's alone, so nothing that is
/// computed with needs a lock. An engine that ranks a catalogue may have the help of workers that sleep.
/// </summary>
public sealed class ComputePool : ISpareThreads, IAsyncDisposable
{
    private readonly ComputeWorker[] _workers;

    /// <exception cref="ValidationException">An option is out of its range.</exception>
    public ComputePool(ComputePoolOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Validator.ValidateObject(options, new ValidationContext(options), validateAllProperties: true);
        _workers = [.. Enumerable.Range(0, options.Threads).Select(number => new ComputeWorker(number))];
    }

    public int Threads => _workers.Length;

    public void Invite(SharedWork work, int most)
    {
        ArgumentNullException.ThrowIfNull(work);
        for (var i = 0; i < _workers.Length && most > 0; i++)
            most -= _workers[i].TryInvite(work) ? 1 : 0;
    }

    /// <summary>Ends the lanes that are left, each within its drain timeout, and the threads.</summary>
    public async ValueTask DisposeAsync() => await Task.WhenAll(_workers.Select(worker => worker.StopAsync()));

    /// <summary>Those workers that have the fewest lanes, the first ones among equals.</summary>
    /// <param name="count">1 to <see cref="Threads"/>.</param>
    internal ComputeWorker[] Choose(int count) => [.. _workers.OrderBy(worker => worker.LaneCount).Take(count)];
}
