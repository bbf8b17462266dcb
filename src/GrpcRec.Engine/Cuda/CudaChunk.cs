using System.Numerics;

namespace GrpcRec.Engine.Cuda;

/// <summary>
/// How one batch lies in its staging: five arrays, sized by the next of a few sizes, so that batches of almost the same shape are the
/// same to a captured graph. What is past the true counts is padding: runs of no event on the spare slot, events of item 0.
/// </summary>
/// <param name="Runs">Rounded up.</param>
/// <param name="Events">Rounded up.</param>
/// <param name="Steps">Of the longest run; rounded up on the step path, 0 on the persistent one.</param>
internal readonly record struct CudaChunk(int Runs, int Events, int Steps)
{
    private const int MinRuns = 8, MinEvents = 64;

    /// <summary>Places in the staging, in words: slots, starts, counts, items, behaviors. Each a multiple of 256 bytes from the start.</summary>
    public const int Slots = 0;

    public int Starts => DenseLayer.Pad(Runs);

    public int Counts => 2 * DenseLayer.Pad(Runs);

    public int Items => 3 * DenseLayer.Pad(Runs);

    public int Behaviors => Items + Events;

    public int Words => Items + (2 * Events);

    public static CudaChunk Of(int runs, int events, int steps) =>
        new(RoundUp(Math.Max(runs, MinRuns)), RoundUp(Math.Max(events, MinEvents)), steps == 0 ? 0 : RoundUp(steps));

    public static int WordsOf(int maxRuns, int maxEvents) => Of(maxRuns, maxEvents, 0).Words;

    /// <summary>The next power of two, or three quarters of it.</summary>
    public static int RoundUp(int value)
    {
        var power = (int)BitOperations.RoundUpToPowerOf2((uint)value);
        return power >= 256 && value <= power / 4 * 3 ? power / 4 * 3 : power;
    }
}
