using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

/// <summary>A dense layer's weights on the device.</summary>
/// <param name="Weights">[Columns, Inner] f32.</param>
/// <param name="Bias">[Columns]; 0: none.</param>
internal readonly record struct DenseWeights(ulong Weights, ulong Bias, int Columns, int Inner);

/// <summary>One task's tower and output.</summary>
/// <param name="Tower">Null: the output reads the trunk, or the hidden state, itself.</param>
internal sealed record CudaTask(HeadColumn Head, DenseWeights? Tower, DenseWeights Output);

/// <summary>The heads' weights on the device. Names and equations: <see cref="ModelTensors"/>.</summary>
internal sealed class CudaHeadWeights
{
    public CudaHeadWeights(CudaLoad load, ModelArtifact artifact, HeadLayout layout)
    {
        var encoder = artifact.Manifest.Encoder;
        if (layout.HasNextItem)
            Query = Dense(load, artifact, ModelTensors.NextItemProjectionWeight, ModelTensors.NextItemProjectionBias);
        Candidate = [.. layout.Candidate.Select(head => Task(load, artifact, head))];
        Sequence = [.. layout.Sequence.Select(head => Task(load, artifact, head))];
        if (Candidate.Length == 0)
            return;
        BottomHidden = Dense(load, artifact, ModelTensors.BottomHiddenWeight, ModelTensors.BottomBias);
        BottomProjection = Dense(load, artifact, ModelTensors.BottomProjectionWeight, null);
        // Columns of e, then of the interaction: gr_dense_interaction reads e ‖ p∘e.
        var fromItem = artifact.WeightArray(ModelTensors.BottomItemWeight);
        var fromInteraction = artifact.WeightArray(ModelTensors.BottomInteractionWeight);
        int e = encoder.EmbeddingSize, s = encoder.BottomSize;
        var joined = new float[2 * e * s];
        for (var row = 0; row < s; row++)
        {
            fromItem.AsSpan(row * e, e).CopyTo(joined.AsSpan(row * 2 * e));
            fromInteraction.AsSpan(row * e, e).CopyTo(joined.AsSpan((row * 2 * e) + e));
        }

        BottomItem = new DenseWeights(load.Upload(joined, "the trunk"), 0, s, 2 * e);
    }

    /// <summary>q = W·h + b.</summary>
    public DenseWeights Query { get; }

    public DenseWeights BottomHidden { get; }

    /// <summary>p = W·h.</summary>
    public DenseWeights BottomProjection { get; }

    /// <summary>[S, 2E].</summary>
    public DenseWeights BottomItem { get; }

    public CudaTask[] Candidate { get; }

    public CudaTask[] Sequence { get; }

    /// <summary>Widest row that a tower writes.</summary>
    public int TowerWidth => Candidate.Concat(Sequence).Select(task => task.Tower?.Columns ?? 1).DefaultIfEmpty(1).Max();

    private static CudaTask Task(CudaLoad load, ModelArtifact artifact, HeadColumn head)
    {
        var name = head.Task.Name;
        DenseWeights? tower = artifact.HasTensor(ModelTensors.TowerBias(name)) ? Dense(load, artifact, ModelTensors.TowerWeight(name), ModelTensors.TowerBias(name)) : null;
        return new CudaTask(head, tower, Dense(load, artifact, ModelTensors.OutputWeight(name), ModelTensors.OutputBias(name)));
    }

    private static DenseWeights Dense(CudaLoad load, ModelArtifact artifact, string weight, string? bias)
    {
        var weights = artifact.WeightArray(weight);
        var values = bias is null ? null : artifact.WeightArray(bias);
        var columns = values?.Length ?? artifact.Manifest.Encoder.EmbeddingSize;
        return new DenseWeights(load.Upload(weights, "a head"), values is null ? 0 : load.Upload(values, "a head"), columns, weights.Length / columns);
    }
}
