using CsCheck;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Training.CollaborativeFiltering;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Tests.Datasets;
using GrpcRec.Training.Tests.Learning;

namespace GrpcRec.Training.Tests.Evaluation;

/// <summary>Baselines that are tables: what is served is the rule that is measured beside every training.</summary>
public sealed class CountedBaselinesTests
{
    private static readonly TrainingPlan Plan = new()
    {
        ModelName = "m", ModelVersion = "v1", Tasks = [new() { Name = "next", Kind = TaskKind.NextItem }], Evaluation = new() { Cutoffs = [1, 3, 10] },
    };

    /// <summary>Any past, whatever is hidden: an item's place in the engine's ranking is the one that the rule gives it.</summary>
    [Fact]
    public void Rank_AnyPast_PutsEveryItemWhereTheRuleDoes() =>
        Gen.Select(Gen.Int[0, 11].Array[2, 25].Array[1, 12], Gen.Int[0, 11].Array[1, 14], Gen.Bool).Sample(
            (sequences, past, mask) =>
            {
                var data = Splits.LeaveOneOut(TinyDataset.Of([[0, 1, 2, 3], .. sequences], items: 12));
                var popularity = new PopularityBaseline(data);
                foreach (var (kind, rule) in new (ServableBaseline, INextItemBaseline)[]
                {
                    (ServableBaseline.Markov, new NeighbourBaseline(Successors.Count(data, popularity), popularity, Successors.Reach, decay: 1)),
                    (ServableBaseline.ItemNeighbours, new NeighbourBaseline(ItemNeighbours.Count(data), popularity, ItemNeighbours.Reach, ItemNeighbours.Decay)),
                })
                {
                    var ranking = Rank(Counted(data, kind), past, mask);
                    var hidden = new SeenItems(12);
                    foreach (var item in mask ? past : [])
                        hidden.Add(item);
                    Assert.Equal(12 - hidden.Items.Count, ranking.Length);
                    for (var place = 0; place < ranking.Length; place++)
                        Assert.Equal(place + 1, rule.Rank(new Past(0, past), ranking[place], hidden, new float[12]));
                }
            },
            iter: 200);

    [Theory]
    [InlineData(ServableBaseline.Markov, "markov-1", false)]
    [InlineData(ServableBaseline.Markov, "markov-1", true)]
    [InlineData(ServableBaseline.ItemNeighbours, "item-knn", false)]
    [InlineData(ServableBaseline.ItemNeighbours, "item-knn", true)]
    public void Train_OfNextItem_IsJudgedAsTheRuleIs(ServableBaseline kind, string name, bool mask)
    {
        using var space = new Workspace();
        var data = Wanderers();
        var plan = Plan with { Evaluation = Plan.Evaluation with { MaskSeen = mask } };
        List<TrainingStage> stages = [];
        var report = BaselineTrainer.Train(
            data, kind, plan, space.Artifact(), TimeProvider.System, CancellationToken.None, progress: new Told(progress => stages.Add(progress.Stage)));
        foreach (var (metric, value) in Baselines.Evaluate(data, plan.Tasks, plan.Evaluation, SplitRole.Test)[name])
            Assert.Equal(value, report.Metrics[metric], 12);
        Assert.Equal([TrainingStage.Training, TrainingStage.Testing, TrainingStage.Writing], stages.Distinct());

        // What was written serves as what was judged.
        var manifest = ModelArtifact.Load(space.Artifact()).Manifest;
        Assert.Equal(report.Metrics, manifest.Metrics);
        Assert.Equal((EncoderKind.Counts, kind == ServableBaseline.Markov ? 1 : 10), (manifest.Encoder.Kind, manifest.MaxSequenceLength));
    }

    [Fact]
    public void Train_ShorterSequencesThanTheRuleReads_ReadsThose()
    {
        using var space = new Workspace();
        var plan = Plan with { Architecture = new() { MaxSequenceLength = 4 } };
        BaselineTrainer.Train(Wanderers(), ServableBaseline.ItemNeighbours, plan, space.Artifact(), TimeProvider.System, CancellationToken.None);
        var manifest = ModelArtifact.ReadManifest(space.Artifact());
        Assert.Equal((4, 4), (manifest.MaxSequenceLength, manifest.Encoder.HiddenSize));
    }

    [Fact]
    public void Train_NothingFollowsAnything_IsPopularity()
    {
        using var space = new Workspace();
        var data = TinyDataset.Of([[0, 1, 2], [2, 1, 0], [2, 0, 1]], items: 4);
        for (var t = 0; t < data.EventCount; t++)
            data.Roles[t] = t % 3 == 0 ? SplitRole.None : SplitRole.Test;
        data = data.With(data.Roles, new([.. Enumerable.Range(0, 4).Select(item => new CatalogItem("i" + item, 7 * item % 5))]), data.Contexts, data.Fingerprint);
        BaselineTrainer.Train(data, ServableBaseline.Markov, Plan, space.Artifact(), TimeProvider.System, CancellationToken.None);
        var artifact = ModelArtifact.Load(space.Artifact());
        Assert.Equal(0, artifact.Manifest.Encoder.Counts!.Neighbours);
        var popularity = new PopularityBaseline(data);
        Assert.Equal([0, 1, 2, 3], Rank(artifact, [1], mask: false).Select(item => popularity.Places[item]));
    }

    [Fact]
    public void Train_Rates_GivesEachItemItsSmoothedRate()
    {
        using var space = new Workspace();
        // like: 1 of 6 training labels of item 0, 4 of 6 of item 1, none of item 2.
        int[][] sequences = [[0, 0, 0, 0, 0, 0, 0, 2, 2], [1, 1, 1, 1, 1, 1, 1, 2, 2]];
        float[] likes = [0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 1];
        var data = Splits.LeaveOneOut(TinyDataset.Of(sequences, items: 4, labels: new() { ["like"] = likes, ["other"] = [.. likes.Select(like => 1 - like)] }));
        var plan = Plan with { Tasks = [Label("like"), Label("other")] };
        var report = BaselineTrainer.Train(data, ServableBaseline.Rates, plan, space.Artifact(), TimeProvider.System, CancellationToken.None);
        Assert.Equal(0.5, report.Metrics["auc/like"]); // both tests are of item 2

        var artifact = ModelArtifact.Load(space.Artifact());
        using var engine = StepEngineFactory.Create(artifact, new EngineOptions { SlotCapacity = 1 });
        Assert.True(engine.TryRent(out var slot));
        var logits = new float[4 * 2];
        engine.ScoreCandidates(slot, [0, 1, 2, 3], logits);
        const double overall = 5.0 / 12;
        double[] expected = [(1 + (20 * overall)) / (6 + 20), (4 + (20 * overall)) / (6 + 20), overall, overall];
        for (var item = 0; item < 4; item++)
        {
            Assert.Equal(expected[item], 1 / (1 + Math.Exp(-logits[2 * item])), 1e-6);
            Assert.Equal(1 - expected[item], 1 / (1 + Math.Exp(-logits[(2 * item) + 1])), 1e-6);
        }
    }

    [Fact]
    public void Train_TasksThatTheBaselineCannotTell_AreRefused()
    {
        var labels = new Dictionary<string, float[]> { ["like"] = [0, 1, 0, 1, 1], ["never"] = new float[5], ["none"] = [.. Enumerable.Repeat(float.NaN, 5)] };
        var data = Splits.LeaveOneOut(TinyDataset.Of([[0, 1, 2, 3, 4]], items: 5, labels: labels));
        Refused(ServableBaseline.Markov, "next item alone", Label("like"));
        Refused(ServableBaseline.ItemNeighbours, "next item alone", Plan.Tasks[0], Label("like"));
        Refused(ServableBaseline.Rates, "binary tasks", Plan.Tasks[0]);
        Refused(ServableBaseline.Rates, "binary tasks");
        Refused(ServableBaseline.Rates, "binary tasks", Label("like"), Label("like") with { Name = "more", Given = "like" });
        Refused(ServableBaseline.Rates, "Task never", Label("like"), Label("never"));
        Refused(ServableBaseline.Rates, "Task none", Label("none"));

        void Refused(ServableBaseline kind, string expected, params TaskDefinition[] tasks)
        {
            using var space = new Workspace();
            var error = Assert.Throws<TrainingException>(() => BaselineTrainer.Train(
                data, kind, Plan with { Tasks = tasks }, space.Artifact(), TimeProvider.System, CancellationToken.None));
            Assert.Contains(expected, error.Message, StringComparison.Ordinal);
            Assert.Equal("Tasks", error.Field);
            Assert.False(Directory.Exists(space.Artifact()));
        }
    }

    [Theory]
    [InlineData(ServableBaseline.Markov)]
    [InlineData(ServableBaseline.ItemNeighbours)]
    [InlineData(ServableBaseline.MatrixFactorisation)]
    public void Train_Cancelled_WritesNothing(ServableBaseline kind)
    {
        using var space = new Workspace();
        using var cancelled = new CancellationTokenSource();
        Assert.ThrowsAny<OperationCanceledException>(() => BaselineTrainer.Train(
            Wanderers(), kind, Plan, space.Artifact(), TimeProvider.System, cancelled.Token, progress: new Told(_ => cancelled.Cancel())));
        Assert.False(Directory.Exists(space.Artifact()));
    }

    [Fact]
    public void Write_InAnotherPrecision_IsRefused()
    {
        var artifact = Counted(Wanderers(), ServableBaseline.Markov);
        var refusal = Assert.Throws<ArtifactException>(() => new PrecisionWriter(artifact, "nowhere", "v2"));
        Assert.Contains("one of counts", refusal.Message, StringComparison.Ordinal);
    }

    private static TaskDefinition Label(string column) => new() { Name = column, Kind = TaskKind.Binary, Label = new LabelSource.Column(column) };

    private static ModelArtifact Counted(SequenceDataset data, ServableBaseline kind)
    {
        var model = kind == ServableBaseline.Markov
            ? CountedBaselines.Markov(data, Plan, DateTimeOffset.UnixEpoch, null, CancellationToken.None)
            : CountedBaselines.Neighbours(data, Plan, DateTimeOffset.UnixEpoch, null, CancellationToken.None);
        return ModelArtifact.Create(model.Manifest, data.Items, model.Tensors, indices: model.Indices);
    }

    /// <summary>All items but the hidden ones, as served.</summary>
    private static int[] Rank(ModelArtifact artifact, int[] past, bool mask)
    {
        using var engine = StepEngineFactory.Create(artifact, new EngineOptions { SlotCapacity = 1 });
        Assert.True(engine.TryRent(out var slot));
        engine.Advance([new EventRun(slot, 0, past.Length)], past, new int[past.Length]);
        var query = new RankQuery { Slot = slot, K = engine.CatalogSize, Excluded = mask ? [.. past.Distinct().Order()] : [] };
        engine.Rank([query]);
        return [.. query.Result.Select(ranked => ranked.Item)];
    }

    /// <summary>Users who mostly go to an item near the last one, of which some are much liked.</summary>
    private static SequenceDataset Wanderers()
    {
        var random = new Random(8);
        return Splits.LeaveOneOut(TinyDataset.Of([.. Enumerable.Range(0, 120).Select(_ => Walk(random))], items: 60));

        static int[] Walk(Random random)
        {
            var walk = new int[random.Next(5, 20)];
            walk[0] = random.Next(60);
            for (var t = 1; t < walk.Length; t++)
                walk[t] = random.Next(4) == 0 ? random.Next(8) : (walk[t - 1] + random.Next(1, 4)) % 60;
            return walk;
        }
    }

    private sealed class Told(Action<TrainingProgressReport> report) : IProgress<TrainingProgressReport>
    {
        public void Report(TrainingProgressReport value) => report(value);
    }
}
