using CsCheck;
using GrpcRec.Training.Encoders;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Encoders;

[Collection(TorchTests.Name)]
public class PackedSequencesTests
{
    private static readonly Gen<int[]> Lengths = Gen.Int[1, 40].Array[1, 20].Select(lengths => lengths.OrderDescending().ToArray());

    [Fact]
    public void Row_AnyLengths_GivesEachEventARowOfItsOwn() => Lengths.Sample(lengths =>
    {
        var packing = new PackedSequences(lengths);
        var rows = new HashSet<int>();
        for (var b = 0; b < lengths.Length; b++)
        {
            for (var t = 0; t < lengths[b]; t++)
                Assert.True(b < packing.Active(t) && rows.Add(packing.Row(t, b)));
        }

        Assert.Equal(Enumerable.Range(0, lengths.Sum()), rows.Order());
        Assert.Equal((lengths.Sum(), lengths[0], lengths.Length), (packing.Rows, packing.Steps, packing.Batch));
    });

    [Fact]
    public void ForEachPart_AnyThreads_RunsEverySequenceOnceInPartsOfLikeWork() => Gen.Select(Lengths, Gen.Int[1, 25]).Sample((lengths, threads) =>
    {
        var parts = new System.Collections.Concurrent.ConcurrentBag<(int First, int End)>();
        new PackedSequences(lengths).ForEachPart(threads, (first, end) => parts.Add((first, end)));

        var sequences = parts.SelectMany(part => Enumerable.Range(part.First, part.End - part.First)).Order();
        Assert.Equal(Enumerable.Range(0, lengths.Length), sequences);
        // Cut after the sequence that reaches a part's share: at most one sequence past it.
        var most = parts.Max(part => lengths[part.First..part.End].Sum());
        Assert.True(most <= (lengths.Sum() / (double)Math.Min(threads, lengths.Length)) + lengths[0]);
    });

    [Fact]
    public void Pack_OfPadded_IsWhatItWas()
    {
        using var scope = NewDisposeScope();
        var packing = new PackedSequences([4, 2, 2, 1]);
        var x = randn(9, 3);
        var padded = packing.Pad(x);
        Assert.Equal([4, 4, 3], padded.shape);
        Assert.Equal(x.data<float>().ToArray(), packing.Pack(padded).data<float>().ToArray());
        Assert.Equal(0, padded[3].narrow(0, 1, 3).abs().sum().item<float>());
        Assert.Equal(x[8].data<float>().ToArray(), padded[3, 0].data<float>().ToArray());
    }

    [Theory]
    [InlineData]
    [InlineData(1, 2)]
    [InlineData(2, 0)]
    public void Constructor_LengthsThatCannotBe_AreRefused(params int[] lengths) => Assert.Throws<ArgumentException>(() => new PackedSequences(lengths));
}
