using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>Advances slots' states by events, and reads a state's output. One thread at a time.</summary>
internal abstract unsafe class CpuEncoder : IDisposable
{
    /// <summary>
    /// Runs advanced together at most: enough to reuse a block of weights, few enough for their inputs to stay in the second-level cache.
    /// </summary>
    public const int MaxRuns = 48;

    /// <summary>The result does not depend on what shares the call, nor on how a sequence is cut into runs.</summary>
    /// <param name="runs">1…<see cref="MaxRuns"/>, checked.</param>
    /// <param name="states">[runs] pointers to their slots' states.</param>
    public abstract void Advance(ReadOnlySpan<EventRun> runs, float** states, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors);

    /// <param name="state">[StateFloats] of a slot.</param>
    /// <returns>[H] the encoder's output, in the state itself: valid until its slot is advanced or returned.</returns>
    public abstract float* Hidden(float* state);

    public abstract void Dispose();
}
