using GrpcRec.Engine.Cuda.Driver;

namespace GrpcRec.Engine.Cuda;

/// <summary>
/// One place of the ring through which batches reach the device: pinned memory that the host fills, device memory that kernels read. The
/// copy runs on a stream of its own, so that it overlaps with the batch before.
/// </summary>
internal sealed unsafe class CudaStaging
{
    private readonly PinnedMemory _host;
    private readonly DeviceMemory _device;
    private readonly CudaEvent _uploaded, _consumed;

    /// <param name="words">Of 4 bytes.</param>
    public CudaStaging(CudaContext context, DeviceBudget budget, CudaParts parts, int words)
    {
        Words = words;
        _host = parts.Own(new PinnedMemory(context, (long)words * sizeof(int)));
        _device = parts.Own(DeviceMemory.Allocate(context, budget, (long)words * sizeof(int), "a batch's events"));
        _uploaded = parts.Own(new CudaEvent(context));
        _consumed = parts.Own(new CudaEvent(context));
    }

    public int Words { get; }

    public ulong Device => _device.Address;

    /// <summary>[words] to be filled. Waits until the device has read what was here before.</summary>
    public Span<int> Begin()
    {
        _consumed.Synchronize();
        return new Span<int>(_host.Pointer, Words);
    }

    /// <summary>Sends the first words, and makes the computing stream wait for them.</summary>
    public void Send(int words, CudaStream copies, CudaStream computing)
    {
        copies.Upload(_device.Address, _host.Pointer, (long)words * sizeof(int));
        _uploaded.Record(copies);
        computing.WaitFor(_uploaded);
    }

    /// <summary>[words] to be filled by one who waits for its own stream before it comes again.</summary>
    public Span<int> BeginAlone() => new(_host.Pointer, Words);

    /// <summary>The same one's: copies and computes on one stream, so that neither needs a mark.</summary>
    public void SendAlone(int words, CudaStream stream) => stream.Upload(_device.Address, _host.Pointer, (long)words * sizeof(int));

    /// <summary>All that reads this batch has been queued.</summary>
    public void End(CudaStream computing) => _consumed.Record(computing);
}
