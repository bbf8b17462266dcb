using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Losses;

[Collection(TorchTests.Name)]
public class NextItemLossTests
{
    [Fact]
    public void SampledSoftmax_ManyDraws_EstimatesTheFullSumWithoutBias()
    {
        // exp(loss) = 1 + Σ e^(drawn - target): its mean over draws must be that of the whole catalogue, whatever items are drawn more often.
        using var scope = NewDisposeScope();
        using var model = Model(out var items);
        var query = randn(1, 8);
        using var frozen = no_grad();
        var logits = addmm(model.Heads.ItemBias, query, model.Heads.OutputEmbedding.t(), 1, 1);
        long[] target = [2];
        var exact = (logits.logsumexp(1) - logits[0, 2]).exp().item<float>();
        var loss = new SampledSoftmaxLoss(new NegativeSampler(items, 5, power: 1));
        const int draws = 4000;
        var sum = 0.0;
        for (var i = 0; i < draws; i++)
        {
            loss.Draw();
            var (value, part) = loss.Compute(query, model.Heads, Rows(target));
            part.Dispose();
            sum += Math.Exp(value);
        }

        Assert.Equal(1, sum / draws / exact, 0.05);
    }

    [Fact]
    public void SampledSoftmax_WithoutTheCorrection_WouldBeBiased()
    {
        // The check above can fail: plain draws by popularity miss the sum by more than it allows.
        using var scope = NewDisposeScope();
        using var model = Model(out var items);
        var query = randn(1, 8);
        using var frozen = no_grad();
        var logits = addmm(model.Heads.ItemBias, query, model.Heads.OutputEmbedding.t(), 1, 1)[0];
        var exact = (logits.logsumexp(0) - logits[2]).exp().item<float>();
        var sampler = new NegativeSampler(items, 5, power: 1);
        var sum = 0.0;
        for (var i = 0; i < 1000; i++)
        {
            sampler.Draw();
            sum += 1 + sampler.Sample.Where(item => item != 2).Sum(item => Math.Exp(logits[item].item<float>() - logits[2].item<float>()));
        }

        Assert.False(Math.Abs((sum / 1000 / exact) - 1) < 0.05, $"{sum / 1000} and {exact}");
    }

    [Fact]
    public void BprMax_OneNegative_IsTheLogisticOfTheDifference()
    {
        using var scope = NewDisposeScope();
        using var model = Model(out var items);
        var sampler = new NegativeSampler(items, 1, power: 0);
        do
            sampler.Draw();
        while (sampler.Sample[0] == 2);
        var query = randn(1, 8);
        var logits = addmm(model.Heads.ItemBias, query, model.Heads.OutputEmbedding.t(), 1, 1)[0];
        double target = logits[2].item<float>(), drawn = logits[sampler.Sample[0]].item<float>();

        var (plain, _) = new BprMaxLoss(sampler, penalty: 0).Compute(query, model.Heads, Rows(2));
        var (penalised, _) = new BprMaxLoss(sampler, penalty: 0.5).Compute(query, model.Heads, Rows(2));

        Assert.Equal(Math.Log(1 + Math.Exp(drawn - target)), plain, 1e-5);
        Assert.Equal(0.5 * drawn * drawn, penalised - plain, 1e-4);
    }

    [Theory]
    [InlineData(NextItemLossKind.SampledSoftmax)]
    [InlineData(NextItemLossKind.BprMax)]
    public void Compute_EveryDrawIsTheTarget_IsFiniteAndHasNoGradient(NextItemLossKind kind)
    {
        using var scope = NewDisposeScope();
        using var model = Model(out var items);
        var sampler = new NegativeSampler(items, 3, power: 0);
        Array.Fill(sampler.Sample, 2);
        NextItemLoss loss = kind == NextItemLossKind.BprMax ? new BprMaxLoss(sampler, 1) : new SampledSoftmaxLoss(sampler);
        var query = randn(2, 8).requires_grad_();

        var (value, part) = loss.Compute(query, model.Heads, Rows(2, 2));
        part.backward();

        Assert.Equal(0, value, 1e-6);
        Assert.Equal(0, query.grad!.abs().max().item<float>(), 1e-6);
    }

    [Fact]
    public void Draw_ManyTimes_FollowsTheCounts()
    {
        var items = new ItemCatalog([new("a", 9), new("b", 0), new("c", 89)]);
        random.manual_seed(1);
        var sampler = new NegativeSampler(items, 1000, power: 1);
        var counts = new int[3];
        for (var i = 0; i < 100; i++)
        {
            sampler.Draw();
            foreach (var item in sampler.Sample)
                counts[item]++;
        }

        Assert.InRange(counts[0], 9_000, 11_000);
        Assert.InRange(counts[1], 800, 1_200);
    }

    /// <summary>Twelve items of very unlike popularity.</summary>
    private static LabelledRows Rows(params long[] targets) => new(null!, [], [], [], targets, [], null!);

    private static MultiTaskModel Model(out ItemCatalog items)
    {
        var data = TinyData.Cycle();
        items = new ItemCatalog([.. Enumerable.Range(0, 12).Select(i => new CatalogItem($"item-{i}", i * i * 10))]);
        random.manual_seed(5);
        var plan = TinyData.Plan(TinyData.NextItem);
        var model = new MultiTaskModel(TrainingPlanRules.Manifest(plan, data, TaskLabels.Build(data, plan.Tasks), DateTimeOffset.UnixEpoch), dropout: 0);
        using var frozen = no_grad();
        model.Parameters[ModelTensors.ItemEmbedding].normal_(0, 0.3);
        return model;
    }
}
