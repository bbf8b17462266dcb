using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>An encoder's weights, packed for its kernels. Immutable; shared by the engines of an artefact.</summary>
internal abstract class EncoderWeights : IDisposable
{
    /// <summary>Floats of a slot's state, a multiple of 16.</summary>
    public abstract int StateFloats { get; }

    /// <summary>Memory of precomputed tables, at most the budget.</summary>
    public abstract long TableBytes { get; }

    /// <summary>The items' part of a step is read from a table; false: computed in each step.</summary>
    public abstract bool HasItemTable { get; }

    /// <param name="tableBudgetBytes">Memory that tables may take.</param>
    /// <exception cref="EngineException">The encoder is not one that this engine runs.</exception>
    public static EncoderWeights Create(ModelArtifact artifact, EngineOptions options, long tableBudgetBytes) => artifact.Manifest.Encoder.Kind switch
    {
        EncoderKind.Lstm => new LstmWeights(artifact, BlockKernel.For(options.Path), tableBudgetBytes),
        EncoderKind.Gru => new GruWeights(artifact, BlockKernel.For(options.Path), tableBudgetBytes),
        EncoderKind.Rnn => new RnnWeights(artifact, BlockKernel.For(options.Path), tableBudgetBytes),
        EncoderKind.Bag => new BagWeights(artifact, BlockKernel.For(options.Path)),
        EncoderKind.Cnn => new ConvolutionWeights(artifact, BlockKernel.For(options.Path)),
        var kind => throw new EngineException($"the CPU engine does not run an encoder of kind {kind}"),
    };

    /// <summary>One for each engine: it has scratch memory of its own.</summary>
    public abstract CpuEncoder CreateEncoder();

    public abstract void Dispose();
}
