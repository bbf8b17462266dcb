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

            RankingMetrics popularity = new(plan.Cutoffs), markov = new(plan.Cutoffs), neighbours = new(plan.Cutoffs);
            var trained = Enumerable.Range(0, data.SequenceCount).Select(TrainingItems).ToArray();
            for (var s = 0; s < data.SequenceCount; s++)
            {
                int start = data.Offsets[s], t = data.Offsets[s + 1] - 1;
                if (data.Roles[t] != SplitRole.Test)
                    continue;
                var hidden = mask ? data.ItemIds[start..t].Where(i => i != data.ItemIds[t]).ToHashSet() : [];
                var visible = Enumerable.Range(0, 6).Where(i => !hidden.Contains(i)).ToArray();
                popularity.Add(1 + Array.IndexOf([.. visible.OrderByDescending(Popularity).ThenBy(i => i)], data.ItemIds[t]));
                markov.Add(1 + Array.IndexOf([.. visible.OrderByDescending(i => Transitions(data.ItemIds[t - 1], i)).ThenByDescending(Popularity).ThenBy(i => i)], data.ItemIds[t]));
                neighbours.Add(1 + Array.IndexOf(
                    [.. visible.OrderByDescending(i => Nearness(data.ItemIds[start..t], i)).ThenByDescending(Popularity).ThenBy(i => i)], data.ItemIds[t]));
            }

            Same(popularity, results["popularity"]);
            Same(markov, results["markov-1"]);
            Same(neighbours, results["item-knn"]);

            long Popularity(int item) => data.Items.Items[item].Count;
            int Transitions(int from, int to) => Enumerable.Range(1, data.EventCount - 1)
                .Count(t => data.Roles[t] == SplitRole.Train && data.ItemIds[t - 1] == from && data.ItemIds[t] == to);
            // All that stands before the last training target, and that target. No sequence here is longer than the window of the neighbours.
            int[] TrainingItems(int s)
            {
                var (start, end) = (data.Offsets[s], data.Offsets[s + 1]);
                return data.ItemIds[start..(1 + Enumerable.Range(start, end - start).LastOrDefault(t => data.Roles[t] == SplitRole.Train, start - 1))];
            }

            float Cosine(int a, int b) => a == b ? 0 : (float)(trained.Count(items => items.Contains(a) && items.Contains(b))
                / Math.Sqrt((double)Math.Max(1, trained.Count(items => items.Contains(a))) * Math.Max(1, trained.Count(items => items.Contains(b)))));
            float Nearness(int[] past, int item) => past.Reverse().Select((p, age) => Enumerable.Range(0, age).Aggregate(1f, (weight, _) => weight * 0.7f) * Cosine(p, item))
                .Aggregate(0f, (sum, part) => sum + part);
            void Same(RankingMetrics expected, IReadOnlyDictionary<string, double> actual)
            {
                var metrics = new Dictionary<string, double>();
                expected.AddTo(metrics);
                Assert.Equal(metrics.OrderBy(m => m.Key), actual.OrderBy(m => m.Key));
            }
        });

    /// <summary>Two crowds with ten items each, who never meet: factors must tell them apart, popularity cannot.</summary>
    [Fact]
    public void Evaluate_TwoCrowds_MatrixFactorisationRanksTheirOwnItemsFirst()
    {
        var random = new Random(3);
        var data = Splits.LeaveOneOut(TinyDataset.Of(
            [.. Enumerable.Range(0, 200).Select(user => Enumerable.Range(0, 10).OrderBy(_ => random.Next()).Take(8).Select(item => item + (10 * (user % 2))).ToArray())],
            items: 20));
        var plan = new EvaluationPlan { Cutoffs = [4], MaskSeen = true };
        var results = Baselines.Evaluate(data, [Next], plan, SplitRole.Test);

        // Of its own ten items seven are hidden: the target is among three.
        Assert.Equal(1, results["mf"]["hr@4"]);
        Assert.InRange(results["popularity"]["hr@4"], 0, 0.6);
        Assert.Equal(results["mf"], Baselines.Evaluate(data, [Next], plan, SplitRole.Test)["mf"]);
    }

    /// <summary>Sessions that were never trained have no factors of their own: the mean of their items' must do.</summary>
    [Fact]
    public void Evaluate_NewSessions_MatrixFactorisationReadsTheirItems()
    {
        var random = new Random(4);
        var data = TinyDataset.Of(
            [.. Enumerable.Range(0, 300).Select(user => Enumerable.Range(0, 10).OrderBy(_ => random.Next()).Take(6).Select(item => item + (10 * (user % 2))).ToArray())],
            items: 20);
        for (var t = 0; t < data.EventCount; t++)
            data.Roles[t] = t % 6 == 0 ? SplitRole.None : t / 6 < 250 ? SplitRole.Train : SplitRole.Test;
        var results = Baselines.Evaluate(data, [Next], new EvaluationPlan { Cutoffs = [10] }, SplitRole.Test);
        Assert.Equal(1, results["mf"]["hr@10"]);
        Assert.InRange(results["popularity"]["hr@10"], 0, 0.8);
    }

    [Fact]
    public void Evaluate_Binary_OrdersByUserAndItemRate_AndLeavesOutWhatCannotBeLearnt()
    {
        var data = Splits.LeaveOneOut(TinyDataset.Of(
            [[0, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]],
            items: 2,
            labels: new() { ["like"] = [1, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 0], ["never"] = new float[12] },
            contexts: new() { ["page"] = new ContextColumn(["home", "search"], [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 1]) }));
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
