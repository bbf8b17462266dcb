using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Tests.Cpu;

public sealed unsafe class BlockKernelTests
{
    public static TheoryData<KernelPath> Paths => KernelPaths.All;

    [SkippableTheory]
    [MemberData(nameof(Paths))]
    public void Multiply_AnyRowsAndDepth_MatchesExactSumsAndItsRowsAlone(KernelPath path)
    {
        var kernel = KernelPaths.Kernel(path);
        var random = new Random(11);
        var first = stackalloc float*[BlockKernel.MaxRows];
        var second = stackalloc float*[BlockKernel.MaxRows];
        foreach (var depth in new[] { 0, 1, 2, 7, 64, 129 })
        {
            const int stride = 144;
            using var w = Fill(random, Math.Max(1, depth) * BlockKernel.Columns);
            using var x = Fill(random, BlockKernel.MaxRows * stride);
            using var starts = Fill(random, 2 * BlockKernel.MaxRows * 128);
            using var z = new AlignedBuffer(BlockKernel.MaxRows * BlockKernel.Columns);
            using var alone = new AlignedBuffer(BlockKernel.Columns);
            for (var r = 0; r < BlockKernel.MaxRows; r++)
            {
                first[r] = starts.Pointer + (r * 128);
                second[r] = starts.Pointer + ((r + BlockKernel.MaxRows) * 128);
            }

            foreach (var added in new[] { false, true })
            {
                for (var rows = 1; rows <= BlockKernel.MaxRows; rows++)
                {
                    kernel.Multiply(rows, w.Pointer, depth, x.Pointer, stride, first, added ? second : null, 64, z.Pointer);
                    for (var r = 0; r < rows; r++)
                    {
                        kernel.Multiply(1, w.Pointer, depth, x.Pointer + (r * stride), stride, first + r, added ? second + r : null, 64, alone.Pointer);
                        for (var j = 0; j < BlockKernel.Columns; j++)
                        {
                            var exact = first[r][64 + j] + (added ? (double)second[r][64 + j] : 0);
                            for (var k = 0; k < depth; k++)
                                exact += (double)x.Pointer[(r * stride) + k] * w.Pointer[(k * BlockKernel.Columns) + j];
                            Assert.Equal(exact, z.Pointer[(r * BlockKernel.Columns) + j], 1e-5);
                            Assert.Equal(Bits(alone.Pointer[j]), Bits(z.Pointer[(r * BlockKernel.Columns) + j]));
                        }
                    }
                }
            }
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Paths))]
    public void Multiply_CutInDepth_IsTheSameChain(KernelPath path)
    {
        var kernel = KernelPaths.Kernel(path);
        var random = new Random(12);
        using var w = Fill(random, 96 * BlockKernel.Columns);
        using var x = Fill(random, 96);
        using var start = Fill(random, BlockKernel.Columns);
        using var half = new AlignedBuffer(BlockKernel.Columns);
        using var cut = new AlignedBuffer(BlockKernel.Columns);
        using var whole = new AlignedBuffer(BlockKernel.Columns);
        float* first = start.Pointer, second = half.Pointer;
        kernel.Multiply(1, w.Pointer, 96, x.Pointer, 0, &first, null, 0, whole.Pointer);
        kernel.Multiply(1, w.Pointer, 37, x.Pointer, 0, &first, null, 0, half.Pointer);
        kernel.Multiply(1, w.Pointer + (37 * BlockKernel.Columns), 96 - 37, x.Pointer + 37, 0, &second, null, 0, cut.Pointer);
        for (var j = 0; j < BlockKernel.Columns; j++)
            Assert.Equal(Bits(whole.Pointer[j]), Bits(cut.Pointer[j]));
    }

    [SkippableTheory]
    [MemberData(nameof(Paths))]
    public void MultiplyFour_UnpackedRows_AreTheBitsOfMultiply(KernelPath path)
    {
        var kernel = KernelPaths.Kernel(path);
        var random = new Random(13);
        const int depth = 65;
        using var x = Fill(random, depth);
        using var rows = Fill(random, 4 * depth);
        using var w = new AlignedBuffer(depth * BlockKernel.Columns);
        using var start = Fill(random, BlockKernel.Columns);
        using var z = new AlignedBuffer(BlockKernel.Columns);
        var pointers = stackalloc float*[4];
        var sums = stackalloc float[4];
        for (var n = 0; n < 4; n++)
        {
            pointers[n] = rows.Pointer + (n * depth);
            sums[n] = start.Pointer[n];
            for (var k = 0; k < depth; k++)
                w.Pointer[(k * BlockKernel.Columns) + n] = pointers[n][k];
        }

        var first = start.Pointer;
        kernel.Multiply(1, w.Pointer, depth, x.Pointer, 0, &first, null, 0, z.Pointer);
        kernel.MultiplyFour(x.Pointer, depth, pointers, sums);
        for (var n = 0; n < 4; n++)
            Assert.Equal(Bits(z.Pointer[n]), Bits(sums[n]));
    }

    [Fact]
    public void For_UnknownPath_Throws() => Assert.Throws<EngineException>(() => BlockKernel.For((KernelPath)99));

    private static AlignedBuffer Fill(Random random, int length)
    {
        var buffer = new AlignedBuffer(length);
        for (var i = 0; i < length; i++)
            buffer.Pointer[i] = (float)(random.NextDouble() - 0.5);
        return buffer;
    }

    private static int Bits(float value) => BitConverter.SingleToInt32Bits(value);
}
