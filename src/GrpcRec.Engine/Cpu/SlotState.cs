namespace GrpcRec.Engine.Cpu;

/// <summary>What heads read of a slot.</summary>
/// <param name="hidden">[H] the encoder's output.</param>
/// <param name="memory">[E] of <see cref="ItemMemory"/>; not read where the model has none.</param>
internal readonly unsafe struct SlotState(float* hidden, float* memory)
{
    public float* Hidden { get; } = hidden;

    public float* Memory { get; } = memory;
}
