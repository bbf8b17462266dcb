using GrpcRec.Engine.Cpu.Trunks;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>One task's tower and output. Padding is zero, so that widths are whole blocks and nothing needs a tail.</summary>
/// <param name="Tower">relu layer with its bias; null when the model has no towers.</param>
/// <param name="TowerBias">[Tower.Width].</param>
/// <param name="Output">[C, InputWidth].</param>
/// <param name="OutputBias">[C].</param>
/// <param name="InputWidth">Padded width of what <paramref name="Output"/> reads.</param>
/// <param name="ItemTerms">[V] added to a candidate's logit; empty: none.</param>
internal sealed record TaskWeights(PackedMatrix? Tower, AlignedBuffer? TowerBias, AlignedBuffer Output, float[] OutputBias, int InputWidth, float[] ItemTerms);

/// <summary>The heads' weights, packed. Names and equations: <see cref="ModelTensors"/>.</summary>
internal sealed unsafe class CpuHeadWeights : IDisposable
{
    private readonly Dictionary<string, TaskWeights> _tasks = new(StringComparer.Ordinal);

    public CpuHeadWeights(ModelArtifact artifact, BlockKernel kernel, long tableBudgetBytes)
    {
        foreach (var task in artifact.Manifest.Tasks)
        {
            if (task.Kind == TaskKind.NextItem)
                AddNextItem(artifact, task);
            else
                _tasks.Add(task.Name, PackTask(artifact, task));
        }

        string[] tasks = [.. new HeadLayout(artifact.Manifest).Candidate.Select(head => head.Task.Name)];
        if (tasks.Length > 0)
            Trunk = TrunkWeights.Create(artifact, kernel, tasks, tableBudgetBytes);
    }

    /// <summary>q = W·h + b; null when the model has no next_item task.</summary>
    public PackedMatrix? NextProjection { get; private set; }

    /// <summary>[NextProjection.Width].</summary>
    public AlignedBuffer? NextProjectionBias { get; private set; }

    /// <summary>Null: the query has no part of the items read.</summary>
    public ItemMemory? Memory { get; private set; }

    /// <summary>Output embeddings, 64 items a block: [V/64, E, 64].</summary>
    public PackedMatrix? NextItems { get; private set; }

    /// <summary>[NextItems.Width], 0 past V.</summary>
    public AlignedBuffer? NextItemBias { get; private set; }

    /// <summary>[V, E] output embeddings by item.</summary>
    public float[] NextEmbedding { get; private set; } = [];

    /// <summary>Null when no task but next_item reads a candidate.</summary>
    public TrunkWeights? Trunk { get; }

    public long TableBytes => Trunk?.TableBytes ?? 0;

    public TaskWeights Task(string name) => _tasks[name];

    /// <summary>Widest row that a tower writes.</summary>
    public int MaxWidth => _tasks.Values.Max(task => (int?)task.Tower?.Width) ?? 0;

    public void Dispose()
    {
        foreach (var task in _tasks.Values)
        {
            task.Tower?.Dispose();
            task.TowerBias?.Dispose();
            task.Output.Dispose();
        }

        foreach (var part in new IDisposable?[]
        {
            NextProjection, NextProjectionBias, NextItems, NextItemBias, Trunk,
        })
            part?.Dispose();
    }

    private void AddNextItem(ModelArtifact artifact, TaskManifest task)
    {
        var embedding = artifact.Manifest.Encoder.EmbeddingSize;
        NextEmbedding = artifact.WeightArray(artifact.Manifest.Encoder.TiedItemEmbedding ? ModelTensors.ItemEmbedding : ModelTensors.NextItemEmbedding);
        NextProjection = PackedMatrix.FromRows(embedding, artifact.WeightArray(ModelTensors.NextItemProjectionWeight));
        NextProjectionBias = Padded(artifact.WeightArray(ModelTensors.NextItemProjectionBias));
        Memory = task.ItemMemory ? new ItemMemory(artifact, NextEmbedding) : null;
        NextItems = PackedMatrix.FromRows(artifact.Manifest.CatalogSize, NextEmbedding);
        NextItemBias = Padded(artifact.WeightArray(ModelTensors.NextItemBias));
    }

    private static TaskWeights PackTask(ModelArtifact artifact, TaskManifest task)
    {
        PackedMatrix? tower = null;
        AlignedBuffer? towerBias = null;
        if (artifact.HasTensor(ModelTensors.TowerBias(task.Name)))
        {
            var bias = artifact.WeightArray(ModelTensors.TowerBias(task.Name));
            tower = PackedMatrix.FromRows(bias.Length, artifact.WeightArray(ModelTensors.TowerWeight(task.Name)));
            towerBias = Padded(bias);
        }

        var outputBias = artifact.WeightArray(ModelTensors.OutputBias(task.Name));
        var weights = artifact.WeightArray(ModelTensors.OutputWeight(task.Name));
        var depth = weights.Length / outputBias.Length;
        var width = PackedMatrix.PaddedWidth(depth);
        var output = new AlignedBuffer((long)outputBias.Length * width);
        for (var row = 0; row < outputBias.Length; row++)
            weights.AsSpan(row * depth, depth).CopyTo(new Span<float>(output.Pointer + ((long)row * width), depth));
        return new TaskWeights(tower, towerBias, output, outputBias, width, task.ItemBias ? artifact.WeightArray(ModelTensors.TaskItemBias(task.Name)) : []);
    }

    private static AlignedBuffer Padded(float[] values)
    {
        var padded = new AlignedBuffer(PackedMatrix.PaddedWidth(values.Length));
        values.CopyTo(new Span<float>(padded.Pointer, values.Length));
        return padded;
    }
}
