using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Engine.Tests.Steps;

namespace GrpcRec.Engine.Tests.Cpu;

public sealed unsafe class EngineMemoryTests
{
    [Theory]
    [InlineData(Backend.CpuTables)]
    [InlineData(Backend.CpuNoTables)]
    public void Memory_KnownShape_IsCountedToTheByte(Backend backend)
    {
        // 128 items: two blocks without padding, and too few for codes.
        var shape = new ModelShape(128, Layers: 2, Embedding: 64, Tasks: false, Catalog: 128);
        var before = AlignedBuffer.HeldByThread;
        using (var engine = (CpuEngine)OperatorCases.Create(RandomModel.Create(shape), backend, slots: 10))
        {
            var memory = engine.Memory;
            Assert.Equal(2 * 2 * 128 * 4, memory.BytesPerSlot);
            Assert.Equal(10 * memory.BytesPerSlot, memory.SlotBytes);
            var gates = backend == Backend.CpuTables ? 4 * 128 * 4 : 0;
            Assert.Equal(gates + (64 * 4) + 4, memory.BytesPerItem);
            Assert.Equal(128 * memory.BytesPerItem, memory.ItemBytes);

            // Three matrices of [512, 128], one of [512, 64] where its product is not tabulated, and the projection; biases and zeros beside them.
            var matrices = (3 * 512 * 128 * 4) + (gates > 0 ? 0 : 512 * 64 * 4) + (64 * 128 * 4);
            Assert.InRange(memory.WeightBytes, matrices, matrices + 20_000);
            Assert.Equal(
                AlignedBuffer.HeldByThread - before, memory.ItemBytes + memory.WeightBytes + memory.SlotBytes + memory.ScratchBytes);
        }

        Assert.Equal(before, AlignedBuffer.HeldByThread);
    }

    [Fact]
    public void AlignedBuffer_SmallOnes_AreApartAlignedAndZeroedAnew()
    {
        var buffers = Enumerable.Range(1, 40).Select(n => new AlignedBuffer(n * 3001)).ToArray();
        foreach (var buffer in buffers)
        {
            Assert.Equal(0, (nint)buffer.Pointer % 64);
            var floats = new Span<float>(buffer.Pointer, (int)buffer.Length);
            Assert.False(floats.ContainsAnyExcept(0f));
            floats.Fill(buffer.Length);
        }

        foreach (var buffer in buffers)
            Assert.False(new Span<float>(buffer.Pointer, (int)buffer.Length).ContainsAnyExcept(buffer.Length));
        foreach (var buffer in buffers)
        {
            buffer.Dispose();
            buffer.Dispose();
        }

        using var again = new AlignedBuffer(200_000);
        Assert.False(new Span<float>(again.Pointer, 200_000).ContainsAnyExcept(0f));
    }
}
