using GrpcRec.Engine.Cuda.Driver;
using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cuda;

/// <summary>One recurrent layer on the device: its weights, and how its input's part of the gates comes about.</summary>
internal sealed class CudaLayer
{
    private CudaLayer()
    {
    }

    /// <summary>As the kernels of the chosen path read them.</summary>
    public required ulong Weights { get; init; }

    /// <summary>[Hp] b_hn; 0 but for a GRU with the reset after the product.</summary>
    public ulong ResetBias { get; init; }

    /// <summary>Layer 0: [V][Hp][4]; 0: computed for the events of a chunk from <see cref="ProjectionWeights"/>.</summary>
    public ulong ItemRows { get; private set; }

    /// <summary>Layer 0: [B][Hp][4]; 0: the model does not read behaviours.</summary>
    public ulong BehaviorRows { get; private set; }

    /// <summary>Layer 0: [4·Hp, E] f32. Layers above: tiles of the input's weights.</summary>
    public ulong ProjectionWeights { get; private set; }

    /// <summary>[Hp][4] f32.</summary>
    public ulong ProjectionBias { get; private set; }

    /// <param name="itemTable">[V, Ep] f32 item embeddings on the device.</param>
    /// <param name="tableBudgetBytes">Past it, layer 0's projections of items are computed as they are needed.</param>
    public static CudaLayer Create(CudaLoad load, ModelArtifact artifact, CudaShape shape, int layer, ulong itemTable, long tableBudgetBytes)
    {
        var encoder = artifact.Manifest.Encoder;
        var kind = encoder.Kind;
        var packing = new RecurrentPacking(shape.Gates, shape.Hidden, shape.HiddenPadded);
        var recurrent = artifact.WeightArray(ModelTensors.RecurrentWeight(layer, kind));
        var before = shape.Cell == CudaCell.GruBefore;
        byte[] Tiles(int first, int count) => packing.Tiles(shape.Element, recurrent, shape.Hidden, shape.HiddenPadded, first, count);
        var made = new CudaLayer
        {
            Weights = load.Upload(
                shape.IsPersistent ? packing.Fragments(shape.Element, recurrent)
                : before ? [.. Tiles(0, 2), .. Tiles(2, 1)]
                : Tiles(0, shape.Gates),
                "the recurrent weights"),
            ResetBias = shape.Cell == CudaCell.GruAfter ? load.Upload(packing.Units(artifact.WeightArray(ModelTensors.ResetBias(layer))), "a bias") : 0,
        };
        var input = artifact.WeightArray(ModelTensors.InputWeight(layer, kind));
        made.ProjectionBias = load.Upload(packing.GateBias(artifact.WeightArray(ModelTensors.Bias(layer, kind))), "a bias");
        if (layer > 0)
            made.ProjectionWeights = load.Upload(packing.Tiles(shape.Element, input, shape.Hidden, shape.HiddenPadded, 0, shape.Gates), "the input weights");
        else
            made.AddTables(load, artifact, shape, packing, input, itemTable, tableBudgetBytes);
        return made;
    }

    private void AddTables(CudaLoad load, ModelArtifact artifact, CudaShape shape, RecurrentPacking packing, float[] input, ulong itemTable, long tableBudgetBytes)
    {
        var encoder = artifact.Manifest.Encoder;
        int e = encoder.EmbeddingSize, width = e + encoder.BehaviorEmbeddingSize, columns = 4 * shape.HiddenPadded;
        var rowBytes = columns * shape.Element.GateRows().Bytes();
        ProjectionWeights = load.Upload(packing.ProjectionRows(input, width, 0, e), "the input weights");
        var dense = shape.GateRowsFunction(load.Module);
        if (encoder.BehaviorEmbeddingSize > 0)
        {
            var behaviors = artifact.Manifest.Behaviors.Count;
            var embedding = load.Upload(artifact.Weights(ModelTensors.BehaviorEmbedding), "the behaviour embedding");
            var weights = load.Upload(packing.ProjectionRows(input, width, e, encoder.BehaviorEmbeddingSize), "the input weights");
            BehaviorRows = load.Allocate((long)behaviors * rowBytes, "the behaviours' gate table");
            using var scope = load.Context.Enter();
            DenseLayer.Launch(dense, load.Stream, new DenseArguments
            {
                In = embedding, Weights = weights, Out = BehaviorRows, Count = behaviors, Columns = columns,
                Inner = encoder.BehaviorEmbeddingSize, LdIn = encoder.BehaviorEmbeddingSize, LdWeights = encoder.BehaviorEmbeddingSize, LdOut = columns,
            });
            load.Stream.Synchronize();
        }

        var tableBytes = (long)artifact.Manifest.CatalogSize * rowBytes;
        // A table that would leave less than an eighth of the budget for states and work is not worth it.
        if (tableBytes > tableBudgetBytes || tableBytes > load.Budget.Left - (load.Budget.Limit / 8))
            return;
        ItemRows = load.Allocate(tableBytes, "the items' gate table");
        using var inside = load.Context.Enter();
        DenseLayer.LaunchAll(
            dense,
            load.Stream,
            new DenseArguments
            {
                In = itemTable, Weights = ProjectionWeights, Bias = ProjectionBias, Out = ItemRows, Columns = columns,
                Inner = e, LdIn = shape.EmbeddingPadded, LdWeights = e, LdOut = columns,
            },
            artifact.Manifest.CatalogSize,
            shape.Element.GateRows().Bytes());
        load.Stream.Synchronize();
    }
}
