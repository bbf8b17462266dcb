using CsCheck;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Tests.Datasets;

namespace GrpcRec.Training.Tests.Evaluation;

public sealed class BaselinesTests
{
    private static readonly TaskDefinition Next = new() { Name = "next", Kind = TaskKind.NextItem };

    private static TaskDefinition Label(string column) => new() { Name = column, Kind = TaskKind.Binary, Label = new LabelSource.Column(column) };

    [Fact]
    public void Evaluate_NextItem_RanksByCountAndByTransition()
    {
        // Training: 0→1 twice, 0→2 once, 1→0 once; counts 0: 4, 1: 3, 2: 1, 3: 0. Tests: 1 after 0, and 3 after 0 (validation is the 0 before).
        var data = Splits.LeaveOneOut(TinyDataset.Of([[0, 1, 0, 1, 0, 1], [0, 2, 0, 3]], items: 4));
        var results = Baselines.Evaluate(data, [Next], new EvaluationPlan { Cutoffs = [1, 3] }, SplitRole.Test);

        Assert.Equal(0, results["popularity"]["hr@1"]);
        Assert.Equal(0.5, results["popularity"]["hr@3"]); // 1 is second, 3 is fourth
        Assert.Equal(0.5, results["markov-1"]["hr@1"]);
        Assert.Equal(0.5, results["markov-1"]["hr@3"]); // 3 follows 1 and 2 (successors) and 0 (popularity)

        var masked = Baselines.Evaluate(data, [Next], new EvaluationPlan { Cutoffs = [1, 2], MaskSeen = true }, SplitRole.Test);
        Assert.Equal(0.5, masked["markov-1"]["hr@1"]); // the target 1 was seen, and is ranked all the same
        Assert.Equal(1, masked["markov-1"]["hr@2"]); // 0 and 2 are hidden from the second: only 1 stays before 3
    }

    [Fact]
    public void Evaluate_AnySequences_AgreesWithSortingTheWholeCatalogue() =>
        Gen.Select(Gen.Int[0, 5].Array[1, 9].Array[1, 8], Gen.Bool).Sample((sequences, mask) =>
        {
            var data = Splits.LeaveOneOut(TinyDataset.Of([[0, 1, 2, 3], .. sequences], items: 6));
            var plan = new EvaluationPlan { Cutoffs = [1, 2, 3, 4, 5, 6], MaskSeen = mask };
            var results = Baselines.Evaluate(data, [Next], plan, SplitRole.Test);

            RankingMetrics popularity = new(plan.Cutoffs), markov = new(plan.Cutoffs);
            for (var s = 0; s < data.SequenceCount; s++)
            {
                int start = data.Offsets[s], t = data.Offsets[s + 1] - 1;
                if (data.Roles[t] != SplitRole.Test)
                    continue;
                var hidden = mask ? data.ItemIds[start..t].Where(i => i != data.ItemIds[t]).ToHashSet() : [];
                var visible = Enumerable.Range(0, 6).Where(i => !hidden.Contains(i)).ToArray();
                popularity.Add(1 + Array.IndexOf([.. visible.OrderByDescending(Popularity).ThenBy(i => i)], data.ItemIds[t]));
                markov.Add(1 + Array.IndexOf([.. visible.OrderByDescending(i => Transitions(data.ItemIds[t - 1], i)).ThenByDescending(Popularity).ThenBy(i => i)], data.ItemIds[t]));
            }

            Same(popularity, results["popularity"]);
            Same(markov, results["markov-1"]);

            long Popularity(int item) => data.Items.Items[item].Count;
            int Transitions(int from, int to) => Enumerable.Range(1, data.EventCount - 1)
                .Count(t => data.Roles[t] == SplitRole.Train && data.ItemIds[t - 1] == from && data.ItemIds[t] == to);
            void Same(RankingMetrics expected, IReadOnlyDictionary<string, double> actual)
            {
                var metrics = new Dictionary<string, double>();
                expected.AddTo(metrics);
                Assert.Equal(metrics.OrderBy(m => m.Key), actual.OrderBy(m => m.Key));
            }
        });

    [Fact]
    public void Evaluate_Binary_OrdersByUserAndItemRate_AndLeavesOutWhatCannotBeLearnt()
    {
        var data = Splits.LeaveOneOut(TinyDataset.Of(
            [[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]],
            items: 2,
            labels: new() { ["like"] = [1, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0], ["never"] = new float[12], ["page"] = [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0] }));
        var results = Baselines.Evaluate(data, [Label("like"), Label("never")], new EvaluationPlan(), SplitRole.Test, ["page"]);
        Assert.Equal(1, results["rates"]["auc/like"]);
        Assert.Equal(1, results["rates"]["auc/mean"]);
        Assert.DoesNotContain("auc/never", results["rates"].Keys);
        Assert.Contains("rates+context", results.Keys);
        Assert.DoesNotContain("popularity", results.Keys);
        Assert.All(results.Values.SelectMany(m => m.Values), value => Assert.True(double.IsFinite(value)));
        Assert.Throws<ArgumentException>(() => Baselines.Evaluate(data, [Label("like")], new EvaluationPlan(), SplitRole.Test, ["device"]));
    }

    [Fact]
    public void Evaluate_Multiclass_PredictsTheMostFrequentClass()
    {
        var data = Splits.LeaveOneOut(TinyDataset.Of([[0, 0, 0, 1, 0], [1, 0, 0, 0, 1]], items: 2, categories: ["a", "b"], itemCategories: [0, 1]));
        var task = new TaskDefinition { Name = "category", Kind = TaskKind.Multiclass, Label = new LabelSource.NextCategory() };
        Assert.Equal(0.5, Baselines.Evaluate(data, [task], new EvaluationPlan(), SplitRole.Test)["prior"]["accuracy/category"]);
    }

    [SkippableFact]
    public void Evaluate_B1a_ReproducesTheReferenceOfMarkov()
    {
        var data = BenchmarkData.Load("b1a", SharedData.Root());
        var metrics = Baselines.Evaluate(data, [Next], new EvaluationPlan { MaskSeen = true }, SplitRole.Test)["markov-1"];
        Assert.Equal(0.2144, metrics["hr@10"], 0.003);
        Assert.Equal(0.1259, metrics["ndcg@10"], 0.002);
    }

    [SkippableFact]
    public void Evaluate_B2_ComesCloseToTheReferenceRates()
    {
        var data = BenchmarkData.Load("b2", SharedData.Root());
        var results = Baselines.Evaluate(
            data, [Label("click"), Label("long_view"), Label("like"), Label("profile_enter")], new EvaluationPlan(), SplitRole.Test, BenchmarkData.ContextColumns("b2"));
        (string Task, double Auc, double GroupAuc)[] references =
            [("click", 0.7299, 0.6117), ("long_view", 0.7240, 0.6227), ("like", 0.8095, 0.6294), ("profile_enter", 0.7256, 0.6511)];
        foreach (var (task, auc, groupAuc) in references)
        {
            Assert.Equal(auc, results["rates+context"]["auc/" + task], 0.01);
            Assert.Equal(groupAuc, results["rates"]["gauc/" + task], 0.015);
        }
    }
}
