using GrpcRec.Training.Learning;

namespace GrpcRec.Training.Tests.Learning;

/// <summary>Progress on the training's own thread, where Progress would post it elsewhere.</summary>
internal sealed class Reporter(Action<TrainingProgressReport> report) : IProgress<TrainingProgressReport>
{
    public void Report(TrainingProgressReport value) => report(value);
}
