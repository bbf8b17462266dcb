using System.Threading.Channels;
using Grpc.Core;
using GrpcRec.V1;
using Task = System.Threading.Tasks.Task;

namespace GrpcRec.Trainer.Worker;

/// <summary>
/// The contract's <c>TrainingService.Train</c> and <c>Evaluate</c>, for the server alone: one job, then the process ends. A fault in the
/// request or its data is a status with a message for a person; a fault of ours ends the stream as INTERNAL, and the supervisor may try again.
/// </summary>
sealed class TrainingWorkerService(WorkerOptions options, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<TrainingWorkerService> logger)
    : TrainingService.TrainingServiceBase
{
    private int _jobs;

    public override Task Train(TrainRequest request, IServerStreamWriter<TrainResponse> responses, ServerCallContext context) =>
        OnceAsync(() => FollowAsync<V1.Training>(
            report => new TrainingJob(request, options, clock, note => WorkerLog.Note(logger, note)).Run(report, context.CancellationToken),
            training => responses.WriteAsync(new TrainResponse { Training = training }, context.CancellationToken)));

    public override Task Evaluate(EvaluateRequest request, IServerStreamWriter<EvaluateResponse> responses, ServerCallContext context) =>
        OnceAsync(() => FollowAsync<EvaluateResponse>(
            report => new EvaluationJob(request, options, clock).Run(report, context.CancellationToken),
            response => responses.WriteAsync(response, context.CancellationToken)));

    private async Task OnceAsync(Func<Task> job)
    {
        if (Interlocked.Increment(ref _jobs) > 1)
            throw new RpcException(new Status(StatusCode.FailedPrecondition, "This worker has a job already."));
        try
        {
            await job();
        }
        catch (Exception refusal) when (Refusals.IsForAPerson(refusal))
        {
            throw new RpcException(new Status(StatusCode.FailedPrecondition, refusal.Message));
        }
        catch (OperationCanceledException)
        {
            throw new RpcException(new Status(StatusCode.Cancelled, "The job was cancelled."));
        }
        catch (Exception fault)
        {
            WorkerLog.JobFailed(logger, fault);
            throw new RpcException(new Status(StatusCode.Internal, $"{fault.GetType().Name}: {fault.Message}"));
        }
        finally
        {
            lifetime.StopApplication();
        }
    }

    /// <summary>Works on a thread of its own and passes its reports on; a slow reader gets the latest, and never holds the work up.</summary>
    /// <param name="work">Reports where it stands, and returns its last word.</param>
    private static async Task FollowAsync<T>(Func<Action<T>, T> work, Func<T, Task> send)
    {
        var updates = Channel.CreateBounded<T>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
        var working = Task.Factory.StartNew(
            () =>
            {
                try
                {
                    return work(update => updates.Writer.TryWrite(update));
                }
                finally
                {
                    updates.Writer.Complete();
                }
            },
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        await foreach (var update in updates.Reader.ReadAllAsync(CancellationToken.None))
            await send(update);
        await send(await working);
    }
}
