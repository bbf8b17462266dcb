using Grpc.Core;
using GrpcRec.Server.Mapping;
using GrpcRec.Server.Telemetry;
using GrpcRec.Serving.Admission;
using GrpcRec.V1;

namespace GrpcRec.Server.Jobs;

/// <summary>
/// Evaluations, one at a time, each in a worker process of its own: its memory goes back at its end, and what it meets in the data cannot
/// touch serving. It belongs to the call that asked for it, and ends with it.
/// </summary>
public sealed class EvaluationRuns(TrainingJobsOptions options, TimeProvider time, ILogger<EvaluationRuns> log) : IDisposable
{
    /// <summary>The worker is told a version to make, and makes none.</summary>
    const string NoVersion = "evaluation";

    readonly SemaphoreSlim _place = new(1);

    /// <param name="request">Keeps the contract's bounds and names a model and its version.</param>
    /// <param name="send">Gets every answer of the worker.</param>
    /// <returns>Why it did not come to its end; null: it did.</returns>
    public async Task<Rejection?> RunAsync(EvaluateRequest request, Func<EvaluateResponse, Task> send, CancellationToken cancellation)
    {
        // 1. A place, and a worker.
        if (TrainerLocator.Find(options.TrainerPath, out var missing) is not { } program)
        {
            log.TrainerMissing(missing);
            return JobRejections.TrainerMissing;
        }
        if (!await _place.WaitAsync(TimeSpan.Zero, cancellation)) return JobRejections.EvaluationRuns;
        DirectoryInfo? work = null;
        try
        {
            // Inside: a disk that is full must not keep the place for ever.
            work = Directory.CreateTempSubdirectory("grpcrec-evaluation-");
            TrainerProcess worker;
            try
            {
                worker = TrainerProcess.Start(
                    program, options, work.FullName, NoVersion, new WorkerLog(Path.Combine(work.FullName, "worker.log"), options.WorkerLogBytes), time);
            }
            catch (System.ComponentModel.Win32Exception e)
            {
                log.EvaluationNotStarted(e);
                return JobRejections.TrainerMissing;
            }

            await using (worker)
            {
                log.EvaluationStarted(request.Model.Name, request.Model.Version, worker.Identity.Pid);
                return await FollowAsync(request, worker, send, cancellation);
            }
        }
        finally
        {
            _place.Release();
            work?.Delete(recursive: true);
        }
    }

    public void Dispose() => _place.Dispose();

    async Task<Rejection?> FollowAsync(EvaluateRequest request, TrainerProcess worker, Func<EvaluateResponse, Task> send, CancellationToken cancellation)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        long? memory = null;
        var memoryWatch = WatchMemoryAsync();
        try
        {
            // 2. Until it answers.
            using var channel = await worker.ConnectAsync(options.WorkerStartTimeout, cancellation);
            if (channel is null) return await DiedAsync(null);

            // 3. Its answers, to the last.
            using var call = new TrainingService.TrainingServiceClient(channel).Evaluate(request, cancellationToken: cancellation);
            while (await call.ResponseStream.MoveNext(cancellation))
                await send(call.ResponseStream.Current);
            await worker.EndAsync(options.WorkerExitTimeout);
            return null;
        }
        catch (Exception e) when (cancellation.IsCancellationRequested && e is RpcException or OperationCanceledException)
        {
            // The cancelled call has told the worker, which is ended with its process object whatever it does.
            return Rejection.Cancelled;
        }
        catch (RpcException e)
        {
            return StatusMapping.IsRefusalByWorker(e) ? JobRejections.CannotEvaluate(e.Status.Detail) : await DiedAsync(e);
        }
        finally
        {
            await ending.CancelAsync();
            await memoryWatch;
        }

        async Task<Rejection> DiedAsync(RpcException? exception)
        {
            worker.Kill();
            await worker.EndAsync(options.WorkerExitTimeout);
            if (memory is { } bytes)
                return JobRejections.CannotEvaluate($"The worker used {bytes >> 20} MiB of memory, more than the limit of {options.WorkerMemoryBytes >> 20} MiB, and was stopped. Filter the events, or raise the server's --trainer-memory.");
            log.EvaluationDied(request.Model.Name, request.Model.Version, exception, worker.LastWords);
            return JobRejections.EvaluationDied(worker.ExitReason);
        }

        async Task WatchMemoryAsync()
        {
            try
            {
                memory = await worker.WatchMemoryAsync(options.WorkerMemoryBytes, options.MemoryCheckInterval, _ => { }, ending.Token);
                if (memory is not null) worker.Kill();
            }
            catch (OperationCanceledException)
            {
                // The evaluation has ended first.
            }
        }
    }
}
