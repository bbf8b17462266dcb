namespace GrpcRec.Engine.Cuda;

/// <summary>A device as its driver describes it.</summary>
/// <param name="Capability">80 for 8.0.</param>
/// <param name="ClockHertz">At its highest; 0: not told.</param>
/// <param name="MemoryBytesPerSecond">By clock and bus width; 0: not told.</param>
public sealed record CudaDevice(string Name, int Capability, int Multiprocessors, double ClockHertz, double MemoryBytesPerSecond)
{
    /// <summary>
    /// Floating-point operations a second of products of 16-bit numbers on tensor cores with float32 sums, dense: what a multiprocessor does a
    /// clock, by NVIDIA's white papers of each architecture.
    /// </summary>
    public double TensorFlops => ClockHertz * Multiprocessors * Capability switch
    {
        >= 90 => 4_096,
        80 => 2_048,
        _ => 1_024,
    };

    /// <summary>The same of float32 outside of them.</summary>
    public double FloatFlops => ClockHertz * Multiprocessors * (Capability is 70 or 75 or 80 ? 128 : 256);
}
