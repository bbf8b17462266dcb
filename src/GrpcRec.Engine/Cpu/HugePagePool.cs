using System.Runtime.InteropServices;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Memory in chunks of one huge page, shared by buffers that are smaller: an engine's weights and scratch then lie under a few entries
/// of the address cache, and no prefetch ends at every 4 KiB. Buffers are taken from a chunk one after the other; a chunk is used anew
/// when its last one is gone. Taken at load alone, so one lock serves.
/// </summary>
internal static unsafe partial class HugePagePool
{
    public const nuint ChunkBytes = 2 << 20;
    private const nuint CacheLine = 64;
    private const int AdviseHugePages = 14; // MADV_HUGEPAGE

    private static readonly Lock Gate = new();
    private static readonly List<Chunk> Chunks = [];

    /// <param name="bytes">At most <see cref="ChunkBytes"/>.</param>
    /// <param name="memory">Aligned to a cache line; what it holds is unknown.</param>
    /// <returns>To be given to <see cref="Return"/> once.</returns>
    /// <exception cref="OutOfMemoryException"/>
    public static Chunk Take(nuint bytes, out void* memory)
    {
        bytes = (bytes + CacheLine - 1) / CacheLine * CacheLine;
        lock (Gate)
        {
            var chunk = Chunks.Find(candidate => ChunkBytes - candidate.Used >= bytes);
            if (chunk is null)
                Chunks.Add(chunk = new Chunk((byte*)Allocate(ChunkBytes)));
            memory = chunk.Memory + chunk.Used;
            chunk.Used += bytes;
            chunk.Users++;
            return chunk;
        }
    }

    public static void Return(Chunk chunk)
    {
        lock (Gate)
        {
            if (--chunk.Users > 0)
                return;
            chunk.Used = 0;
            // One empty chunk waits for the next engine; more go back to the system.
            if (Chunks.Count(other => other.Users == 0) < 2)
                return;
            Chunks.Remove(chunk);
            NativeMemory.AlignedFree(chunk.Memory);
        }
    }

    /// <summary>Memory with huge pages asked for: advice, so a refusal changes speed alone. Freed by <see cref="NativeMemory.AlignedFree"/>.</summary>
    /// <exception cref="OutOfMemoryException"/>
    public static void* Allocate(nuint bytes)
    {
        var memory = NativeMemory.AlignedAlloc(bytes, ChunkBytes);
        if (OperatingSystem.IsLinux())
            _ = Advise(memory, bytes, AdviseHugePages);
        return memory;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(void* address, nuint length, int advice);

    internal sealed class Chunk(byte* memory)
    {
        public byte* Memory { get; } = memory;

        public nuint Used { get; set; }

        public int Users { get; set; }
    }
}
