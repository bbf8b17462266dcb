using System.Diagnostics;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Benchmarks.Training;

/// <summary>Ours, as a job runs it.</summary>
internal static class OurTraining
{
    public static TrainingMeasurement Run(SequenceDataset data)
    {
        var scratch = Directory.CreateTempSubdirectory("grpcrec-bench-train-");
        try
        {
            var plan = new TrainingPlan
            {
                ModelName = "bench",
                ModelVersion = "v1",
                Tasks = [new TaskDefinition { Name = "next", Kind = TaskKind.NextItem }],
                Architecture = TrainingTask.Architecture,
                Optimization = new OptimizationPlan
                {
                    Epochs = 2, BatchSize = TrainingTask.BatchSize, LearningRate = TrainingTask.LearningRate, GradientClipNorm = TrainingTask.ClipNorm,
                },
            };
            var outcome = ModelTrainer.Train(
                data, plan, Path.Combine(scratch.FullName, "checkpoints"), Path.Combine(scratch.FullName, "model"), null, TimeProvider.System, CancellationToken.None);
            return new TrainingMeasurement(
                outcome.History[^1].Seconds, [.. outcome.History.Select(epoch => epoch.TaskLosses["next"])], Process.GetCurrentProcess().PeakWorkingSet64);
        }
        finally
        {
            scratch.Delete(recursive: true);
        }
    }
}
