using System.Buffers;
using System.Runtime.InteropServices;

namespace GrpcRec.Export;

/// <summary>The bytes of an array of floats where it stands: a catalogue's embeddings are too large to be copied for the sake of a type.</summary>
internal sealed class FloatBytes(float[] floats) : MemoryManager<byte>
{
    public override Span<byte> GetSpan() => MemoryMarshal.AsBytes(floats.AsSpan());

    public override unsafe MemoryHandle Pin(int elementIndex = 0)
    {
        var handle = GCHandle.Alloc(floats, GCHandleType.Pinned);
        return new MemoryHandle((byte*)handle.AddrOfPinnedObject() + elementIndex, handle);
    }

    public override void Unpin()
    {
        // The handle frees itself.
    }

    protected override void Dispose(bool disposing)
    {
    }
}
