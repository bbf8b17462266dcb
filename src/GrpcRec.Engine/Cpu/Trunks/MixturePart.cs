namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>The experts and gates of level 0 that read one item embedding.</summary>
internal sealed class MixturePart : IDisposable
{
    /// <param name="itemEmbedding">[V, E].</param>
    /// <param name="experts">First column among all experts, and the rows; the same of the gates, where there are any.</param>
    public MixturePart(BlockKernel kernel, float[] itemEmbedding, (int At, CandidateRows Rows) experts, (int At, CandidateRows Rows)? gates, long tableBudgetBytes)
    {
        ItemEmbedding = itemEmbedding;
        ExpertsAt = experts.At;
        Experts = new CandidateProduct(kernel, itemEmbedding, experts.Rows, tableBudgetBytes);
        if (gates is not { } own)
            return;
        GatesAt = own.At;
        Gates = new CandidateProduct(kernel, itemEmbedding, own.Rows, tableBudgetBytes - Experts.TableBytes);
    }

    /// <summary>[V, E].</summary>
    public float[] ItemEmbedding { get; }

    /// <summary>First column among the level's experts.</summary>
    public int ExpertsAt { get; }

    public CandidateProduct Experts { get; }

    /// <summary>First column among the level's gates.</summary>
    public int GatesAt { get; }

    /// <summary>Null of the shared experts alone.</summary>
    public CandidateProduct? Gates { get; }

    public bool HasItemTable => Experts.HasItemTable && Gates?.HasItemTable != false;

    public long TableBytes => Experts.TableBytes + (Gates?.TableBytes ?? 0);

    public void Dispose()
    {
        Experts.Dispose();
        Gates?.Dispose();
    }
}
