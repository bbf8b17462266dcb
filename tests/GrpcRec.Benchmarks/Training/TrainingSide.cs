namespace GrpcRec.Benchmarks.Training;

/// <summary>The two ways to train that are compared.</summary>
public enum TrainingSide
{
    /// <summary>This project's trainer.</summary>
    Ours,

    /// <summary><see cref="PlainTraining"/>: what one writes first with TorchSharp.</summary>
    Plain,
}

/// <summary>What one process measured.</summary>
/// <param name="Seconds">Of one epoch, after one to warm up; of a part of one, scaled up, where steps were limited.</param>
/// <param name="Losses">Mean training loss of each whole epoch, nats a target.</param>
/// <param name="PeakBytes">Largest resident memory of the process.</param>
public sealed record TrainingMeasurement(double Seconds, double[] Losses, long PeakBytes);
