using System.Threading.Channels;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using GrpcRec.Trainer.Mapping;
using GrpcRec.Training.Events;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.V1;
using Task = System.Threading.Tasks.Task;

namespace GrpcRec.Trainer.Worker;

/// <summary>
/// The contract's <c>TrainingService.Train</c>, for the server alone: one job, then the process ends. A fault in the request or its data is a
/// status with a message for a person; a fault of ours ends the stream as INTERNAL, and the supervisor may try again.
/// </summary>
sealed class TrainingWorkerService(WorkerOptions options, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<TrainingWorkerService> logger)
    : TrainingService.TrainingServiceBase
{
    private int _jobs;

    public override async Task Train(TrainRequest request, IServerStreamWriter<TrainResponse> responses, ServerCallContext context)
    {
        if (Interlocked.Increment(ref _jobs) > 1)
            throw new RpcException(new Status(StatusCode.FailedPrecondition, "This worker has a job already."));
        try
        {
            await RunAsync(request, responses, context.CancellationToken);
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

    /// <summary>Trains on a thread of its own and passes progress on; a slow reader gets the latest, and never holds training up.</summary>
    private async Task RunAsync(TrainRequest request, IServerStreamWriter<TrainResponse> responses, CancellationToken cancellation)
    {
        var updates = Channel.CreateBounded<V1.Training>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
        var job = new TrainingJob(request, options, clock, note => WorkerLog.Note(logger, note));
        var work = Task.Factory.StartNew(
            () =>
            {
                try
                {
                    return job.Run(update => updates.Writer.TryWrite(update), cancellation);
                }
                finally
                {
                    updates.Writer.Complete();
                }
            },
            cancellation, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        await foreach (var update in updates.Reader.ReadAllAsync(CancellationToken.None))
            await responses.WriteAsync(new TrainResponse { Training = update }, cancellation);
        await responses.WriteAsync(new TrainResponse { Training = await work }, cancellation);
    }
}
