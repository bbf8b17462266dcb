using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>One bottom for all candidate tasks.</summary>
internal sealed class BottomWeights : TrunkWeights
{
    public BottomWeights(ModelArtifact artifact, BlockKernel kernel, long tableBudgetBytes)
        : base(artifact, kernel) =>
        Bottom = new CandidateProduct(kernel, ItemEmbedding, CandidateRows.Bottom(artifact), tableBudgetBytes);

    public CandidateProduct Bottom { get; }

    public override long TableBytes => Bottom.TableBytes;

    public override bool HasItemTable => Bottom.HasItemTable;

    public override CpuTrunk CreateTrunk() => new BottomTrunk(this);

    public override void Dispose()
    {
        base.Dispose();
        Bottom.Dispose();
    }
}
