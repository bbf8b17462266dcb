using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>Mixtures of experts in one or more levels: MMoE, CGC, PLE, STEM. Gates are scaled by log₂e for <see cref="BlockKernel.Softmax"/>.</summary>
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

        // 1. Level 0: all experts one product, all gates another; with stem two for each task, which reads an item embedding of its own.
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
        Parts = new MixturePart[First.MixesAll ? tasks.Length + 1 : 1];
        for (var n = 0; n < Parts.Length; n++)
        {
            Parts[n] = !First.MixesAll ? new MixturePart(kernel, ItemEmbedding, (0, experts), (0, gates), tableBudgetBytes)
                : n == tasks.Length ? new MixturePart(kernel, ItemEmbedding, (0, experts.Slice(0, First.SharedWidth)), null, tableBudgetBytes)
                : new MixturePart(
                    kernel, artifact.WeightArray(ModelTensors.TaskItemEmbedding(tasks[n])), (First.TaskExpertsAt(n), experts.Slice(First.TaskExpertsAt(n), First.TaskWidth)),
                    (First.GateAt(n), gates.Slice(First.GateAt(n), First.GateStride)), tableBudgetBytes);
            tableBudgetBytes -= Parts[n].TableBytes;
        }

        // 2. The levels above.
        Upper = new MixtureLevel[levels - 1];
        for (var level = 1; level < levels; level++)
            Upper[level - 1] = new MixtureLevel(artifact, tasks, level, new MixtureLayout(encoder, tasks.Length, isFirst: false, isLast: level == levels - 1), Log2E);
    }

    public int Tasks { get; }

    /// <summary>Of level 0.</summary>
    public MixtureLayout First { get; }

    /// <summary>Level 0 by what it reads; together they write all of its columns.</summary>
    public MixturePart[] Parts { get; }

    /// <summary>Levels 1 and above.</summary>
    public MixtureLevel[] Upper { get; }

    public override long TableBytes => Parts.Sum(part => part.TableBytes);

    public override bool HasItemTable => Parts.All(part => part.HasItemTable);

    public override CpuTrunk CreateTrunk() => new MixtureTrunk(this);

    public override void Dispose()
    {
        base.Dispose();
        foreach (var part in Parts)
            part.Dispose();
        foreach (var level in Upper)
            level.Dispose();
    }
}
