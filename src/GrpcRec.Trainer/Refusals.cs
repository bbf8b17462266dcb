using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Trainer.Worker;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Events;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Trainer;

/// <summary>Which exceptions say, to a person, that the request or its data cannot be used. Anything else is a fault of ours.</summary>
static class Refusals
{
    public static bool IsForAPerson(Exception exception) =>
        exception is TrainRequestException or ImportException or BenchmarkDataException or DatasetLimitException or SplitException
            or TaskDefinitionException or TrainingException or EvaluationException or ArtifactException or EngineException
            or FileNotFoundException or DirectoryNotFoundException;
}
