using System.Runtime.Intrinsics.X86;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;

namespace GrpcRec.Engine.Tests.Steps;

/// <summary>An engine as the tests run it.</summary>
public enum Backend
{
    Scalar,

    /// <summary>All tables in memory.</summary>
    CpuTables,

    /// <summary>No table: every projection on the fly.</summary>
    CpuNoTables,

    /// <summary>All tables, with the instructions of AVX2; those of the machine where it has not got them.</summary>
    Avx2,

    /// <summary>All tables, with the instructions that every processor has.</summary>
    Portable,
}

/// <summary>One table of cases for every backend.</summary>
public static class OperatorCases
{
    public static readonly int[] EdgeLengths = [0, 1, 2, 3, 5, 15, 16, 17, 31, 50, 64, 65, 127, 257];

    private static readonly ModelShape[] Shapes =
    [
        new(4, Embedding: 1, Bottom: 1, Tower: 1, Catalog: 1),
        new(4, BehaviorEmbedding: 2, Tied: false),
        new(7, Layers: 2, Embedding: 5, Bottom: 3, Tower: 0),
        new(16, Layers: 3, BehaviorEmbedding: 8, Catalog: 64),
        new(33, Embedding: 17, Tied: false, Bottom: 65, Tower: 70, Catalog: 65),
        new(64, Layers: 2, Embedding: 64, BehaviorEmbedding: 16, Bottom: 64, Tower: 32, Catalog: 129),
        new(128, Embedding: 64, BehaviorEmbedding: 8, Bottom: 64, Tower: 0, Tied: false),
        new(33, Layers: 3, Tasks: false),
        ModelShape.Gru(1, ResetPlacement.AfterProduct) with { Embedding = 1, Bottom = 1, Tower = 1, Catalog = 1 },
        ModelShape.Gru(17, ResetPlacement.AfterProduct) with { BehaviorEmbedding = 3 },
        ModelShape.Gru(65, ResetPlacement.AfterProduct, layers: 3) with { Embedding = 33, Tied = false },
        ModelShape.Gru(64, ResetPlacement.AfterProduct) with { Tasks = false },
        ModelShape.Gru(3, ResetPlacement.BeforeProduct) with { Tower = 0 },
        ModelShape.Gru(48, ResetPlacement.BeforeProduct, layers: 2) with { BehaviorEmbedding = 8 },
        ModelShape.Gru(70, ResetPlacement.BeforeProduct) with { Trunk = TrunkKind.Mmoe, Experts = 2, Bottom = 20 },
        ModelShape.Rnn(2) with { Embedding = 3, Tower = 0 },
        ModelShape.Rnn(31, layers: 2) with { BehaviorEmbedding = 5, Tied = false },
        ModelShape.Rnn(130, layers: 3) with { Tasks = false },
        ModelShape.MinGru(1) with { Embedding = 1, Bottom = 1, Tower = 1, Catalog = 1 },
        ModelShape.MinGru(33, layers: 3) with { BehaviorEmbedding = 3, Tied = false },
        ModelShape.MinGru(64, layers: 2) with { Embedding = 64 },
        ModelShape.MinGru(130) with { Tasks = false, BehaviorEmbedding = 5 },
        new(16) { Chain = true },
        new(21, Trunk: TrunkKind.Ple, Experts: 2) { Chain = true },
        new(19, Layers: 2, BehaviorEmbedding: 3) { Events = true },
        new(16, Tasks: false) { Events = true },
        ModelShape.Gru(33, ResetPlacement.AfterProduct) with { Events = true, BehaviorEmbedding = 2, Tied = false },
        ModelShape.Gru(20, ResetPlacement.BeforeProduct) with { Events = true },
        ModelShape.Rnn(18) with { Events = true, BehaviorEmbedding = 1 },
        ModelShape.MinGru(17, layers: 2) with { Events = true, BehaviorEmbedding = 5 },
        ModelShape.Bag(20, layers: 2) with { Events = true, BehaviorEmbedding = 4, Requests = true },
        ModelShape.Cnn(12, window: 5, filters: 3, vertical: 2, 2, 3) with { Events = true, BehaviorEmbedding = 2 },
        new(20, Tied: false, Catalog: 40) { Repeats = true },
        ModelShape.Gru(33, ResetPlacement.AfterProduct) with { Repeats = true, Tasks = false, Catalog = 12 },
        ModelShape.Bag(12) with { Repeats = true, Events = true, Catalog = 90 },
        new(20, BehaviorEmbedding: 3, Catalog: 40) { Memory = true },
        new(33, Layers: 2, Embedding: 31, Tied: false, Catalog: 70) { Memory = true, Repeats = true, Events = true, Requests = true },
        ModelShape.Gru(64, ResetPlacement.AfterProduct) with { Memory = true, Tasks = false, Embedding = 64 },
        ModelShape.Bag(12) with { Memory = true, Repeats = true, Embedding = 1 },
        ModelShape.Cnn(20, window: 5, filters: 4, vertical: 2, 2, 5) with { Memory = true },
        ModelShape.MinGru(17, layers: 2) with { Memory = true },
        new(64, Bottom: 20) { Requests = true, Chain = true },
        new(15, BehaviorEmbedding: 2, Tower: 0) { Events = true, Requests = true },
        new(21, Trunk: TrunkKind.Mmoe, Experts: 2) { Requests = true },
        new(18, Trunk: TrunkKind.Ple, Experts: 2) { Requests = true, Chain = true },
        ModelShape.Bag(1) with { Embedding = 1, Tower = 0 },
        ModelShape.Bag(40, layers: 2) with { Embedding = 19, BehaviorEmbedding = 4 },
        ModelShape.Bag(65, layers: 3) with { Tied = false, Bottom = 17, Trunk = TrunkKind.Cgc, Experts = 3 },
        ModelShape.Cnn(1, window: 1, filters: 1, vertical: 0, 1) with { Embedding = 1 },
        ModelShape.Cnn(20, window: 5, filters: 4, vertical: 2, 2, 5) with { BehaviorEmbedding = 3 },
        ModelShape.Cnn(65, window: 64, filters: 17, vertical: 3, 1, 2, 3, 64) with { Embedding = 16, Tied = false },
        ModelShape.Cnn(33, window: 9, filters: 65, vertical: 0, 3, 4) with { Trunk = TrunkKind.Ple, Experts = 1 },
        new(7, Trunk: TrunkKind.Mmoe, Experts: 1, Tower: 0),
        new(16, Trunk: TrunkKind.Mmoe, Experts: 4, Bottom: 64, BehaviorEmbedding: 2),
        new(21, Trunk: TrunkKind.Cgc, Experts: 1, Bottom: 1, Tower: 1),
        new(33, Trunk: TrunkKind.Cgc, Experts: 4, Bottom: 33, Embedding: 31),
        new(20, Trunk: TrunkKind.Ple, Experts: 2, Bottom: 16),
        new(40, Trunk: TrunkKind.Ple, Experts: 4, Bottom: 70, Tower: 0, Embedding: 17),
        new(7, Trunk: TrunkKind.Stem, Experts: 1, Embedding: 1, Bottom: 1, Tower: 0, Catalog: 1),
        new(33, Trunk: TrunkKind.Stem, Experts: 4, Bottom: 33, Embedding: 31, BehaviorEmbedding: 2),
        new(20, Trunk: TrunkKind.Stem, Experts: 3, Bottom: 70, Embedding: 16, Tied: false) { Requests = true, Chain = true },
        new(18, Trunk: TrunkKind.Stem, Experts: 31, Bottom: 3) { Events = true },
        ModelShape.Bag(18, layers: 2) with { Trunk = TrunkKind.Stem, Experts = 2 },
    ];

    /// <summary>Those of one kind of encoder that every engine runs by itself.</summary>
    public static IEnumerable<ModelShape> OfKind(EncoderKind kind) => Shapes.Where(shape => shape.Kind == kind && shape.Experts == 0 && !shape.Repeats && !shape.Memory);

    public static TheoryData<ModelShape, Backend> All
    {
        get
        {
            var cases = new TheoryData<ModelShape, Backend>();
            foreach (var shape in Shapes)
            {
                foreach (var backend in Enum.GetValues<Backend>())
                    cases.Add(shape, backend);
            }

            return cases;
        }
    }

    public static IStepEngine Create(ModelArtifact model, Backend backend, int slots = 64) => StepEngineFactory.Create(model, new EngineOptions
    {
        Kind = backend == Backend.Scalar ? EngineKind.Scalar : EngineKind.Cpu,
        Path = backend switch
        {
            Backend.Avx2 when Avx2.IsSupported && Fma.IsSupported => KernelPath.Avx2,
            Backend.Portable => KernelPath.Portable,
            _ => KernelPath.Auto,
        },
        SlotCapacity = slots,
        GateTableBudgetBytes = backend == Backend.CpuNoTables ? 0 : 512L << 20,
    });

    /// <summary>Sequences of random events, one for each length.</summary>
    public static (int Item, int Behavior)[][] Sequences(ModelShape shape, IEnumerable<int> lengths, int seed)
    {
        var random = new Random(seed);
        var kinds = new EventKinds(RandomModel.Manifest(shape)).Count;
        return [.. lengths.Select(length => Enumerable.Range(0, length).Select(_ => (random.Next(shape.Catalog), random.Next(kinds))).ToArray())];
    }

    /// <summary>Indices of the request's features, other ones for each n.</summary>
    public static int[] Request(ModelShape shape, int n) => shape.Requests ? [n % 3, (n + 1) % 4] : [];

    /// <summary>Steps every sequence to its end, in batches of whoever has an event left, in an order that changes with each batch.</summary>
    public static Slot[] Run(IStepEngine engine, (int Item, int Behavior)[][] sequences, int maxBatch, int seed)
    {
        var random = new Random(seed);
        var slots = sequences.Select(_ => engine.TryRent(out var slot) ? slot : throw new InvalidOperationException("no slot")).ToArray();
        var done = new int[sequences.Length];
        while (true)
        {
            var pending = Enumerable.Range(0, sequences.Length).Where(n => done[n] < sequences[n].Length).ToArray();
            if (pending.Length == 0)
                return slots;
            random.Shuffle(pending);
            var batch = pending.Take(random.Next(1, maxBatch + 1)).ToArray();
            engine.Step([.. batch.Select(n => new StepEvent(slots[n], sequences[n][done[n]].Item, sequences[n][done[n]].Behavior))]);
            foreach (var n in batch)
                done[n]++;
        }
    }
}
