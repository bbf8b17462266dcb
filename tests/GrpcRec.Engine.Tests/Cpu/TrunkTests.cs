using GrpcRec.Engine.Cpu;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Engine.Tests.Precisions;
using GrpcRec.Engine.Tests.Steps;

namespace GrpcRec.Engine.Tests.Cpu;

public sealed class TrunkTests
{
    [Theory]
    [InlineData(TrunkKind.Cgc)]
    [InlineData(TrunkKind.Stem)]
    public void ScoreCandidates_BudgetForSomeOfTheTables_MatchesExactArithmetic(TrunkKind trunk)
    {
        var shape = ModelShape.Bag(18) with { Trunk = trunk, Experts = 3 };
        var model = RandomModel.Create(shape);
        var exact = new ExactModel(model);
        int[] items = [.. Enumerable.Range(0, shape.Catalog)];
        HashSet<long> sizes = [];
        // A block of 64 columns more each time: with stem some of its parts are tabulated and some are not.
        for (var budget = 0L; budget <= 8; budget++)
        {
            using var engine = (CpuEngine)StepEngineFactory.Create(
                model, new EngineOptions { Kind = EngineKind.Cpu, SlotCapacity = 1, GateTableBudgetBytes = budget * shape.Catalog * 64 * sizeof(float) });
            Assert.InRange(engine.TableBytes, 0, budget * shape.Catalog * 64 * sizeof(float));
            sizes.Add(engine.TableBytes);
            var slot = OperatorCases.Run(engine, [[(3, 1), (7, 0)]], 1, seed: 1)[0];
            var logits = new float[items.Length * engine.CandidateWidth];
            engine.ScoreCandidates(slot, items, logits);
            var expected = items.SelectMany(item => exact.Candidate(exact.Hidden([(3, 1), (7, 0)]), item)).ToArray();
            for (var n = 0; n < expected.Length; n++)
                Assert.Equal(expected[n], logits[n], 1e-5);
            // Three groups of experts take a block each, all gates one; with stem each of the two gates takes its own.
            Assert.Equal(budget >= (trunk == TrunkKind.Stem ? 5 : 4), engine.UsesBottomTable);
        }

        Assert.True(sizes.Count >= (trunk == TrunkKind.Stem ? 6 : 2), $"{sizes.Count} sizes");
    }

    [Theory]
    [InlineData(Precision.Bf16)]
    [InlineData(Precision.Int8)]
    public void ScoreCandidates_ReducedEncoder_TrunkStaysFloat32(Precision precision)
    {
        var shape = new ModelShape(33, Trunk: TrunkKind.Stem, Experts: 3);
        var model = RandomModel.Create(shape);
        using var engine = new ReducedBackend(precision, KernelPath.Auto).Create(model);
        var slot = OperatorCases.Run(engine, [[(3, 1), (7, 0)]], 1, seed: 1)[0];
        var hidden = new float[engine.HiddenSize];
        engine.ReadHidden(slot, hidden);
        int[] items = [.. Enumerable.Range(0, shape.Catalog)];
        var logits = new float[items.Length * engine.CandidateWidth];
        engine.ScoreCandidates(slot, items, logits);

        var exact = new ExactModel(model);
        var expected = items.SelectMany(item => exact.Candidate(Array.ConvertAll(hidden, value => (double)value), item)).ToArray();
        for (var n = 0; n < expected.Length; n++)
            Assert.Equal(expected[n], logits[n], 1e-5);
    }
}
