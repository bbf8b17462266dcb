using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>What lies between the encoder and the candidate tasks' towers, packed. Immutable; shared by the engines of an artefact.</summary>
internal abstract class TrunkWeights : IDisposable
{
    protected TrunkWeights(ModelArtifact artifact, BlockKernel kernel)
    {
        var encoder = artifact.Manifest.Encoder;
        Kernel = kernel;
        (State, Embedding) = (ModelTensors.StateWidth(artifact.Manifest), encoder.EmbeddingSize);
        ItemEmbedding = artifact.WeightArray(ModelTensors.ItemEmbedding);
        Projection = PackedMatrix.FromRows(Embedding, artifact.WeightArray(ModelTensors.BottomProjectionWeight));
        OutputWidth = PackedMatrix.PaddedWidth(encoder.BottomSize);
    }

    public BlockKernel Kernel { get; }

    /// <summary>H + R: the encoder's output and the embeddings of a request's features.</summary>
    public int State { get; }

    public int Embedding { get; }

    /// <summary>[V, E].</summary>
    public float[] ItemEmbedding { get; }

    /// <summary>p = W·s.</summary>
    public PackedMatrix Projection { get; }

    /// <summary>S padded to whole blocks: what each task's tower reads.</summary>
    public int OutputWidth { get; }

    public abstract long TableBytes { get; }

    /// <summary>All of the items' part of the first layer is read from tables.</summary>
    public abstract bool HasItemTable { get; }

    /// <param name="tasks">The candidate tasks but next_item, in the manifest's order.</param>
    /// <param name="tableBudgetBytes">Memory that tables may take.</param>
    /// <exception cref="Steps.EngineException">The trunk is too wide for this engine.</exception>
    public static TrunkWeights Create(ModelArtifact artifact, BlockKernel kernel, string[] tasks, long tableBudgetBytes) =>
        artifact.Manifest.Encoder.Trunk.Kind == TrunkKind.SharedBottom
            ? new BottomWeights(artifact, kernel, tableBudgetBytes)
            : new MixtureWeights(artifact, kernel, tasks, tableBudgetBytes);

    /// <summary>One for each engine: it has scratch memory of its own.</summary>
    public abstract CpuTrunk CreateTrunk();

    public virtual void Dispose() => Projection.Dispose();
}
