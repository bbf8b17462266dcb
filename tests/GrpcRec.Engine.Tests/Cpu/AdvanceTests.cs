using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Engine.Tests.Steps;

namespace GrpcRec.Engine.Tests.Cpu;

/// <summary>Runs of events, whose inputs a recurrent encoder multiplies for many steps at once.</summary>
public sealed class AdvanceTests
{
    /// <summary>That <see cref="CutRuns"/> takes.</summary>
    internal const int Slots = 122;

    public static TheoryData<ModelShape, Backend> Cases
    {
        get
        {
            var cases = new TheoryData<ModelShape, Backend>();
            foreach (var shape in (ModelShape[])[new(20, Embedding: 7), new(33, Layers: 3, BehaviorEmbedding: 3), new(64, Layers: 2), .. FamilyTests.Shapes])
            {
                foreach (var backend in new[] { Backend.CpuTables, Backend.CpuNoTables, Backend.Avx2, Backend.Portable })
                    cases.Add(shape, backend);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Advance_RunsCutAnywhere_GivesTheBitsOfSteps(ModelShape shape, Backend backend)
    {
        using var engine = OperatorCases.Create(RandomModel.Create(shape), backend, Slots);
        CutRuns(engine, shape);
    }

    /// <summary>Compares runs cut at random with steps, bit for bit.</summary>
    /// <param name="engine">With <see cref="Slots"/> free slots.</param>
    internal static void CutRuns(IStepEngine engine, ModelShape shape)
    {
        // Past the tile of 48 runs and the 256 events of a product; ties, empty runs, and no order.
        int[] lengths = [3, 300, 0, 1, .. Enumerable.Range(0, 56).Select(n => n * 7 % 23), 17];
        var sequences = OperatorCases.Sequences(shape, lengths, seed: 21);
        var stepped = OperatorCases.Run(engine, sequences, maxBatch: 9, seed: 22);
        var advanced = sequences.Select(_ => engine.TryRent(out var slot) ? slot : throw new InvalidOperationException("no slot")).ToArray();
        int[] items = [.. sequences.SelectMany(events => events.Select(e => e.Item))];
        int[] behaviors = [.. sequences.SelectMany(events => events.Select(e => e.Behavior))];
        var random = new Random(23);
        var done = new int[lengths.Length];
        for (var call = 0; done.Zip(lengths).Any(pair => pair.First < pair.Second); call++)
        {
            var runs = new EventRun[lengths.Length];
            var start = 0;
            for (var n = 0; n < lengths.Length; n++)
            {
                // The third call takes all that is left.
                var count = call >= 2 ? lengths[n] - done[n] : random.Next(lengths[n] - done[n] + 1);
                runs[n] = new EventRun(advanced[n], start + done[n], count);
                done[n] += count;
                start += lengths[n];
            }

            random.Shuffle(runs);
            engine.Advance(runs, items, behaviors);
        }

        var expected = new float[engine.HiddenSize];
        var actual = new float[engine.HiddenSize];
        for (var n = 0; n < lengths.Length; n++)
        {
            engine.ReadHidden(stepped[n], expected);
            engine.ReadHidden(advanced[n], actual);
            Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), actual.Select(BitConverter.SingleToInt32Bits));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Advance_Warm_AllocatesNothing(ModelShape shape, Backend backend)
    {
        using var engine = OperatorCases.Create(RandomModel.Create(shape), backend);
        var runs = Enumerable.Range(0, 60).Select(n => new EventRun(engine.TryRent(out var slot) ? slot : default, n, n % 40)).ToArray();
        var items = new int[100];
        var behaviors = new int[100];
        engine.Advance(runs, items, behaviors);
        var before = GC.GetAllocatedBytesForCurrentThread();
        engine.Advance(runs, items, behaviors);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }
}
