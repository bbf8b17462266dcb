using GrpcRec.Training.Relatedness;

namespace GrpcRec.Trainer.Mapping;

static class RelatednessMapping
{
    public static V1.TaskRelatedness ToWire(TaskRelatedness relatedness) => new()
    {
        Tasks = { relatedness.Tasks },
        GradientCosines = { relatedness.Cosines.SelectMany(row => row) },
        Gains =
        {
            relatedness.Gains.Select(gain => new V1.TaskGain { Task = gain.Task, Metric = gain.Metric, MultiTask = gain.MultiTask, SingleTask = gain.SingleTask }),
        },
        Warnings = { relatedness.Warnings },
    };
}
