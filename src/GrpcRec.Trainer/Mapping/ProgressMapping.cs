using Google.Protobuf.WellKnownTypes;
using GrpcRec.Training.Learning;
using GrpcRec.V1;

namespace GrpcRec.Trainer.Mapping;

static class ProgressMapping
{
    public static TrainingProgress ToWire(TrainingProgressReport report) => new()
    {
        Phase = report.Stage switch
        {
            TrainingStage.Importing => TrainingPhase.Importing,
            TrainingStage.Training => TrainingPhase.Training,
            TrainingStage.Validating => TrainingPhase.Validating,
            TrainingStage.Testing => TrainingPhase.Testing,
            _ => TrainingPhase.Writing,
        },
        SingleTask = report.SingleTask ?? "",
        Epoch = report.Epoch,
        Epochs = report.Epochs,
        Step = report.Step,
        Steps = report.Steps,
        Loss = report.Loss,
        TaskLosses = { report.TaskLosses.ToDictionary() },
        ValidationMetrics = { report.ValidationMetrics.ToDictionary() },
        Remaining = report.Remaining is { } remaining ? Duration.FromTimeSpan(remaining) : null,
        ResidentBytes = Environment.WorkingSet,
        BestEpoch = report.BestEpoch,
    };
}
