using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>
/// Where experts and gates stand among the columns of a level. Experts: the shared ones, then each task's, each expert padded to whole
/// vectors and each group to whole blocks. Gates: each task's, then the shared one, each padded to <see cref="GateStride"/>.
/// </summary>
internal sealed class MixtureLayout
{
    /// <summary>Columns of a level at most: it bounds the engine's scratch memory to 24 MiB.</summary>
    private const int MaxColumns = 1 << 16;

    /// <param name="isFirst">Level 0, which packs all gates into one product and so needs no whole blocks; not with stem, where each gate is one.</param>
    public MixtureLayout(EncoderManifest encoder, int tasks, bool isFirst, bool isLast)
    {
        var trunk = encoder.Trunk;
        (Tasks, SharedExperts, TaskExperts, HasSharedGate) = (tasks, trunk.SharedExperts, trunk.TaskExperts, !isLast);
        MixesAll = trunk.Kind == TrunkKind.Stem;
        ExpertStride = PackedMatrix.PaddedUnits(encoder.BottomSize);
        SharedWidth = PackedMatrix.PaddedWidth(SharedExperts * ExpertStride);
        TaskWidth = PackedMatrix.PaddedWidth(TaskExperts * ExpertStride);
        GateStride = isFirst && !MixesAll ? PackedMatrix.PaddedUnits(Choices(0)) : PackedMatrix.PaddedWidth(Choices(0));
        var sharedGate = HasSharedGate ? PackedMatrix.PaddedWidth(Choices(tasks)) : 0;
        var experts = SharedWidth + ((long)tasks * TaskWidth);
        var gates = PackedMatrix.PaddedWidth((tasks * GateStride) + sharedGate);
        if (experts + gates > MaxColumns)
            throw new EngineException($"encoder.trunk: the experts and gates of a level have {experts + gates} columns and the CPU engine runs at most {MaxColumns}: take fewer experts or a smaller bottom_size");
        (ExpertsWidth, GatesWidth) = ((int)experts, gates);
    }

    public int Tasks { get; }

    public int SharedExperts { get; }

    /// <summary>Of each task.</summary>
    public int TaskExperts { get; }

    public bool HasSharedGate { get; }

    /// <summary>A task's gate mixes the experts of all tasks, as the shared one does.</summary>
    public bool MixesAll { get; }

    /// <summary>S padded to whole vectors.</summary>
    public int ExpertStride { get; }

    public int SharedWidth { get; }

    public int TaskWidth { get; }

    public int GateStride { get; }

    /// <summary>Columns of all experts.</summary>
    public int ExpertsWidth { get; }

    /// <summary>Columns of all gates.</summary>
    public int GatesWidth { get; }

    /// <summary>First column of a task's experts.</summary>
    public int TaskExpertsAt(int task) => SharedWidth + (task * TaskWidth);

    /// <summary>First column of a task's gate; of the shared one with task = Tasks.</summary>
    public int GateAt(int task) => task * GateStride;

    /// <summary>The tasks whose experts a task's gate mixes before the shared ones, or the shared gate with task = Tasks.</summary>
    public (int First, int End) Owners(int task) => MixesAll || task == Tasks ? (0, Tasks) : (task, task + 1);

    /// <summary>Experts that such a gate mixes.</summary>
    public int Choices(int task) => SharedExperts + (MixesAll || task == Tasks ? Tasks * TaskExperts : TaskExperts);
}
