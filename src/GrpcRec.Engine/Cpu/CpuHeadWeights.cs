using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu;

/// <summary>One task's tower and output. Padding is zero, so that widths are whole blocks and nothing needs a tail.</summary>
/// <param name="Tower">relu layer with its bias; null when the model has no towers.</param>
/// <param name="TowerBias">[Tower.Width].</param>
/// <param name="Output">[C, InputWidth].</param>
/// <param name="OutputBias">[C].</param>
/// <param name="InputWidth">Padded width of what <paramref name="Output"/> reads.</param>
internal sealed record TaskWeights(PackedMatrix? Tower, AlignedBuffer? TowerBias, AlignedBuffer Output, float[] OutputBias, int InputWidth);

/// <summary>The heads' weights, packed. Names and equations: <see cref="ModelTensors"/>.</summary>
internal sealed unsafe class CpuHeadWeights : IDisposable
{
    private readonly Dictionary<string, TaskWeights> _tasks = new(StringComparer.Ordinal);
    private readonly AlignedBuffer? _bottomTable;

    /// <param name="zero">Zeros, as many as the widest row.</param>
    public CpuHeadWeights(ModelArtifact artifact, BlockKernel kernel, long tableBudgetBytes, float* zero)
    {
        var encoder = artifact.Manifest.Encoder;
        foreach (var task in artifact.Manifest.Tasks)
        {
            if (task.Kind == TaskKind.NextItem)
                AddNextItem(artifact);
            else
                _tasks.Add(task.Name, PackTask(artifact, task));
        }

        if (!artifact.HasTensor(ModelTensors.BottomBias))
            return;
        BottomProjection = PackedMatrix.FromRows(encoder.EmbeddingSize, artifact.WeightArray(ModelTensors.BottomProjectionWeight));
        BottomHidden = PackedMatrix.FromRows(encoder.BottomSize, artifact.WeightArray(ModelTensors.BottomHiddenWeight));
        BottomBias = Padded(artifact.WeightArray(ModelTensors.BottomBias));
        var item = artifact.WeightArray(ModelTensors.BottomItemWeight);
        var interaction = artifact.WeightArray(ModelTensors.BottomInteractionWeight);
        if ((long)artifact.Manifest.CatalogSize * BottomHidden.Width * sizeof(float) <= tableBudgetBytes)
        {
            using var packed = PackedMatrix.FromRows(encoder.BottomSize, item);
            _bottomTable = CpuModel.Tabulate(kernel, artifact.WeightArray(ModelTensors.ItemEmbedding), encoder.EmbeddingSize, packed, zero);
            BottomItem = PackedMatrix.FromRows(encoder.BottomSize, interaction);
        }
        else
        {
            BottomItem = PackedMatrix.FromRows(encoder.BottomSize, item, interaction);
        }
    }

    /// <summary>q = W·h + b; null when the model has no next_item task.</summary>
    public PackedMatrix? NextProjection { get; private set; }

    /// <summary>[NextProjection.Width].</summary>
    public AlignedBuffer? NextProjectionBias { get; private set; }

    /// <summary>Output embeddings, 64 items a block: [V/64, E, 64].</summary>
    public PackedMatrix? NextItems { get; private set; }

    /// <summary>[NextItems.Width], 0 past V.</summary>
    public AlignedBuffer? NextItemBias { get; private set; }

    /// <summary>[V, E] output embeddings by item.</summary>
    public float[] NextEmbedding { get; private set; } = [];

    /// <summary>p = W·h; null when no task but next_item reads a candidate.</summary>
    public PackedMatrix? BottomProjection { get; }

    public PackedMatrix? BottomHidden { get; }

    /// <summary>[BottomHidden.Width].</summary>
    public AlignedBuffer? BottomBias { get; }

    /// <summary>Reads e ‖ p∘e; p∘e alone where the table holds the item's part.</summary>
    public PackedMatrix? BottomItem { get; }

    public bool HasBottomTable => _bottomTable is not null;

    public long TableBytes => _bottomTable?.Bytes ?? 0;

    public TaskWeights Task(string name) => _tasks[name];

    /// <summary>Widest row that a head writes.</summary>
    public int MaxWidth => Math.Max(BottomHidden?.Width ?? 0, _tasks.Values.Max(task => (int?)task.Tower?.Width) ?? 0);

    /// <summary>[BottomItem.Width] the item's part of the bottom's sums.</summary>
    public float* BottomRow(int item) => _bottomTable!.Pointer + ((long)item * BottomItem!.Width);

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
            _bottomTable, NextProjection, NextProjectionBias, NextItems, NextItemBias, BottomProjection, BottomHidden, BottomBias, BottomItem,
        })
            part?.Dispose();
    }

    private void AddNextItem(ModelArtifact artifact)
    {
        var embedding = artifact.Manifest.Encoder.EmbeddingSize;
        NextEmbedding = artifact.WeightArray(artifact.Manifest.Encoder.TiedItemEmbedding ? ModelTensors.ItemEmbedding : ModelTensors.NextItemEmbedding);
        NextProjection = PackedMatrix.FromRows(embedding, artifact.WeightArray(ModelTensors.NextItemProjectionWeight));
        NextProjectionBias = Padded(artifact.WeightArray(ModelTensors.NextItemProjectionBias));
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
        return new TaskWeights(tower, towerBias, output, outputBias, width);
    }

    private static AlignedBuffer Padded(float[] values)
    {
        var padded = new AlignedBuffer(PackedMatrix.PaddedWidth(values.Length));
        values.CopyTo(new Span<float>(padded.Pointer, values.Length));
        return padded;
    }
}
