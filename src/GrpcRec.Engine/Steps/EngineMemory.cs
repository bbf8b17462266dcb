namespace GrpcRec.Engine.Steps;

/// <summary>
/// What an engine holds outside the garbage collector, in bytes. Beside it stand the artefact's own arrays, which all engines read:
/// 4 × E for each item, twice where output embeddings are not tied, and the weights before they were packed.
/// </summary>
public sealed record EngineMemory
{
    /// <summary>Of one sequence's state.</summary>
    public required long BytesPerSlot { get; init; }

    /// <summary>All slots, in one piece; a slot takes memory from its first use on.</summary>
    public required long SlotBytes { get; init; }

    /// <summary>Of one item: precomputed projections, and the output embedding as the scans read it.</summary>
    public required long BytesPerItem { get; init; }

    /// <summary>All items. Shared by an artefact's engines.</summary>
    public required long ItemBytes { get; init; }

    /// <summary>What does not grow with the catalogue. Shared by an artefact's engines.</summary>
    public required long WeightBytes { get; init; }

    /// <summary>What this engine works in.</summary>
    public required long ScratchBytes { get; init; }
}
