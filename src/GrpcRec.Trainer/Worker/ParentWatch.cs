namespace GrpcRec.Trainer.Worker;

/// <summary>
/// Ends the worker when its server is gone: nobody would read its result. The kernel's own parent-death signal follows the thread that
/// started a child, and .NET's threads come and go, so the parent's id is polled.
/// </summary>
sealed class ParentWatch(WorkerOptions options, IHostApplicationLifetime lifetime, TimeProvider clock) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if (ParentOfThisProcess() == options.ParentProcessId)
                continue;
            lifetime.StopApplication();
            return;
        }
    }

    /// <summary>Fourth field of /proc/self/stat; the second, the command's name, stands in brackets and may hold spaces.</summary>
    private static int ParentOfThisProcess()
    {
        var stat = File.ReadAllText("/proc/self/stat");
        var afterName = stat[(stat.LastIndexOf(')') + 2)..];
        return int.Parse(afterName.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture);
    }
}
