using System.ComponentModel.DataAnnotations;
using GrpcRec.Engine.Counts;
using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Steps;

public static class StepEngineFactory
{
    /// <summary>The processor's engine that Auto takes.</summary>
    public static EngineKind OnProcessor => CpuEngine.IsAccelerated ? EngineKind.Cpu : EngineKind.Scalar;

    /// <exception cref="ValidationException">An option is out of its range.</exception>
    /// <exception cref="EngineException">The model's shape is not one that the engine runs; the message names what and why.</exception>
    public static IStepEngine Create(ModelArtifact artifact, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        ArgumentNullException.ThrowIfNull(options);
        Validator.ValidateObject(options, new ValidationContext(options), validateAllProperties: true);
        Validator.ValidateObject(options.Cuda, new ValidationContext(options.Cuda), validateAllProperties: true);
        var engine = OfKind(artifact, options);
        return artifact.Manifest.Tasks.Any(task => task.RepeatTerms) ? new RepeatEngine(engine, artifact) : engine;
    }

    /// <summary>Without the terms of repeated items, which stand on top of any engine.</summary>
    internal static IStepEngine OfKind(ModelArtifact artifact, EngineOptions options)
    {
        // Sums of a few short rows: there is nothing in it for a device.
        if (artifact.Manifest.Encoder.Kind == EncoderKind.Counts)
            return new CountsEngine(artifact, options);
        return options.Kind switch
        {
            EngineKind.Cuda => new CudaFailover(artifact, options),
            EngineKind.Auto => OnWhatThereIs(artifact, options),
            EngineKind.Cpu => new CpuEngine(artifact, options),
            EngineKind.Scalar => new ScalarEngine(artifact, options),
            _ => throw new ValidationException($"Kind is {options.Kind}; Auto, Cpu, Cuda or Scalar are allowed"),
        };
    }

    /// <summary>A device that is too old, too full or just lost must not keep a model from being served.</summary>
    private static IStepEngine OnWhatThereIs(ModelArtifact artifact, EngineOptions options)
    {
        string? instead = null;
        if (CudaDevices.CanRun(artifact.Manifest, options))
        {
            try
            {
                return new CudaFailover(artifact, options);
            }
            catch (Exception exception) when (exception is EngineException or EngineLostException)
            {
                instead = $"not on the CUDA device: {exception.Message}";
            }
        }

        return OfKind(artifact, options with { Kind = OnProcessor, Instead = instead ?? options.Instead });
    }
}
