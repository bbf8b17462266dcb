using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>Mixtures of experts in one or more levels: MMoE, CGC, PLE. Gates are scaled by log₂e for <see cref="BlockKernel.Softmax"/>.</summary>
internal sealed class MixtureWeights : TrunkWeights
{
    /// <summary>Sum of a column that pads a gate: below all others, so that its share is nothing.</summary>
    public const float Never = -1e30f;

    private const float Log2E = 1.44269504f;

    public MixtureWeights(ModelArtifact artifact, BlockKernel kernel, string[] tasks, long tableBudgetBytes)
        : base(artifact, kernel)
    {
        var encoder = artifact.Manifest.Encoder;
        var levels = encoder.Trunk.Levels;
        Tasks = tasks.Length;
        First = new MixtureLayout(encoder, tasks.Length, isFirst: true, isLast: levels == 1);

        // 1. Level 0: all experts one product, all gates another.
        var experts = new CandidateRows(First.ExpertsWidth, State, Embedding);
        for (var i = 0; i < First.SharedExperts; i++)
            experts.Set(i * First.ExpertStride, artifact.Weights(ModelTensors.SharedExpertWeight(0, i)), artifact.Weights(ModelTensors.SharedExpertBias(0, i)));
        var gates = new CandidateRows(First.GatesWidth, State, Embedding);
        Array.Fill(gates.Bias, Never);
        for (var task = 0; task < tasks.Length; task++)
        {
            for (var i = 0; i < First.TaskExperts; i++)
            {
                experts.Set(
                    First.TaskExpertsAt(task) + (i * First.ExpertStride), artifact.Weights(ModelTensors.TaskExpertWeight(0, tasks[task], i)),
                    artifact.Weights(ModelTensors.TaskExpertBias(0, tasks[task], i)));
            }

            gates.Set(First.GateAt(task), artifact.Weights(ModelTensors.GateWeight(0, tasks[task])), artifact.Weights(ModelTensors.GateBias(0, tasks[task])), Log2E);
        }

        if (First.HasSharedGate)
            gates.Set(First.GateAt(tasks.Length), artifact.Weights(ModelTensors.SharedGateWeight(0)), artifact.Weights(ModelTensors.SharedGateBias(0)), Log2E);
        Experts = new CandidateProduct(kernel, ItemEmbedding, experts, tableBudgetBytes);
        Gates = new CandidateProduct(kernel, ItemEmbedding, gates, tableBudgetBytes - Experts.TableBytes);

        // 2. The levels above.
        Upper = new MixtureLevel[levels - 1];
        for (var level = 1; level < levels; level++)
            Upper[level - 1] = new MixtureLevel(artifact, tasks, level, new MixtureLayout(encoder, tasks.Length, isFirst: false, isLast: level == levels - 1), Log2E);
    }

    public int Tasks { get; }

    /// <summary>Of level 0.</summary>
    public MixtureLayout First { get; }

    public CandidateProduct Experts { get; }

    public CandidateProduct Gates { get; }

    /// <summary>Levels 1 and above.</summary>
    public MixtureLevel[] Upper { get; }

    public override long TableBytes => Experts.TableBytes + Gates.TableBytes;

    public override bool HasItemTable => Experts.HasItemTable && Gates.HasItemTable;

    public override CpuTrunk CreateTrunk() => new MixtureTrunk(this);

    public override void Dispose()
    {
        base.Dispose();
        Experts.Dispose();
        Gates.Dispose();
        foreach (var level in Upper)
            level.Dispose();
    }
}
