using System.ComponentModel.DataAnnotations;
using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Steps;

public static class StepEngineFactory
{
    /// <exception cref="ValidationException">An option is out of its range.</exception>
    /// <exception cref="EngineException">The model's shape is not one that the engine runs; the message names what and why.</exception>
    public static IStepEngine Create(ModelArtifact artifact, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        ArgumentNullException.ThrowIfNull(options);
        Validator.ValidateObject(options, new ValidationContext(options), validateAllProperties: true);
        Validator.ValidateObject(options.Cuda, new ValidationContext(options.Cuda), validateAllProperties: true);
        return options.Kind switch
        {
            EngineKind.Cuda => new CudaFailover(artifact, options),
            EngineKind.Auto when CudaDevices.CanRun(artifact.Manifest, options) => new CudaFailover(artifact, options),
            EngineKind.Auto when CpuEngine.IsAccelerated => new CpuEngine(artifact, options),
            EngineKind.Cpu => new CpuEngine(artifact, options),
            EngineKind.Auto or EngineKind.Scalar => new ScalarEngine(artifact, options),
            _ => throw new ValidationException($"Kind is {options.Kind}; Auto, Cpu, Cuda or Scalar are allowed"),
        };
    }
}
