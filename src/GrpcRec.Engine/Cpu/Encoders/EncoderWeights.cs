using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>An encoder's weights, packed for its kernels. Immutable; shared by the engines of an artefact.</summary>
internal abstract class EncoderWeights : IDisposable
{
    /// <summary>Of the products with hidden states.</summary>
    public virtual Precision Precision => Precision.Float32;

    /// <summary>Floats of a slot's state, a multiple of 16.</summary>
    public abstract int StateFloats { get; }

    /// <summary>Memory of precomputed tables, at most the budget.</summary>
    public abstract long TableBytes { get; }

    /// <summary>The items' part of a step is read from a table; false: computed in each step.</summary>
    public abstract bool HasItemTable { get; }

    /// <param name="tableBudgetBytes">Memory that tables may take.</param>
    /// <exception cref="EngineException">The encoder is not one that this engine runs.</exception>
    public static EncoderWeights Create(ModelArtifact artifact, EngineOptions options, long tableBudgetBytes)
    {
        var kernel = BlockKernel.For(options.Path);
        var precision = options.Precision ?? artifact.Manifest.Precision?.Precision ?? Precision.Float32;
        return (artifact.Manifest.Encoder.Kind, precision) switch
        {
            (EncoderKind.Lstm, Precision.Float32) => new LstmWeights(artifact, kernel, tableBudgetBytes),
            (EncoderKind.Lstm, Precision.Bf16) => new LstmBf16Weights(artifact, kernel, tableBudgetBytes),
            (EncoderKind.Lstm, Precision.Int8) => new LstmInt8Weights(artifact, kernel, Int8Paths.Resolve(options.Path), tableBudgetBytes),
            (EncoderKind.Gru, _) => new GruWeights(artifact, kernel, precision, Int8Paths.Resolve(options.Path), tableBudgetBytes),
            (EncoderKind.Rnn, _) => new RnnWeights(artifact, kernel, precision, Int8Paths.Resolve(options.Path), tableBudgetBytes),
            (EncoderKind.MinGru, Precision.Float32) => new MinGruWeights(artifact, kernel, tableBudgetBytes),
            (EncoderKind.Bag, Precision.Float32) => new BagWeights(artifact, kernel),
            (EncoderKind.Cnn, Precision.Float32) => new ConvolutionWeights(artifact, kernel),
            var (kind, reduced) => throw new EngineException(
                $"the CPU engine does not run an encoder of kind {kind} in precision {reduced}: only an Lstm, Gru or Rnn has reduced forms; use Float32"),
        };
    }

    /// <summary>One for each engine: it has scratch memory of its own.</summary>
    public abstract CpuEncoder CreateEncoder();

    public abstract void Dispose();
}
