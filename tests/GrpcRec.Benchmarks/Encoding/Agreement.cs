using GrpcRec.Benchmarks.Suites;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>What contestants give for a batch, compared with the scalar reference, which computes in double precision.</summary>
public sealed class Agreement
{
    /// <summary>
    /// float32 sums of a few hundred terms over 50 steps, in whatever order: some 1e-6 of values up to 1. What is past this computes something
    /// else, and timing it would compare two programs that do not do the same.
    /// </summary>
    public const double Float32Tolerance = 2e-5;

    private readonly EventBatch _batch;
    private readonly float[] _expected;

    public Agreement(ModelArtifact model, EventBatch batch)
    {
        ArgumentNullException.ThrowIfNull(model);
        _batch = batch;
        _expected = new float[batch.Size * model.Manifest.Encoder.HiddenSize];
        using var reference = new StepEngineEncoder(model, new EngineOptions { Kind = EngineKind.Scalar }, batch.Size, threads: 1);
        reference.Encode(batch, _expected);
    }

    /// <summary>Largest absolute error of the hidden states.</summary>
    public double Error(ISequenceEncoder encoder)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        var hidden = new float[_expected.Length];
        encoder.Encode(_batch, hidden);
        var largest = 0.0;
        for (var i = 0; i < hidden.Length; i++)
        {
            if (!float.IsFinite(hidden[i]))
                throw new BenchmarkException($"{encoder.Name} gave a hidden state that is not finite");
            largest = Math.Max(largest, Math.Abs(hidden[i] - _expected[i]));
        }

        return largest;
    }

    /// <exception cref="BenchmarkException">The error is past float32's.</exception>
    public double CheckFloat32(ISequenceEncoder encoder)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        var error = Error(encoder);
        return error <= Float32Tolerance
            ? error
            : throw new BenchmarkException(FormattableString.Invariant($"{encoder.Name} is {error:E2} from the reference where {Float32Tolerance:E0} is allowed, so it was not timed"));
    }
}
