using System.Globalization;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;
using GrpcRec.Training.Optimizers;

namespace GrpcRec.Trainer.Reports;

/// <summary>The settings of a training in a person's words: every one that had a part in it, and none that its encoder, trunk, loss or optimiser does not read.</summary>
static class ReportSettings
{
    public static KeyValuePair<string, string>[] Of(TrainingPlan plan, ModelManifest manifest)
    {
        var (network, learning) = (plan.Architecture, plan.Optimization);
        var settings = new List<KeyValuePair<string, string>>
        {
            new("encoder", Encoder(network)),
            new("item embedding", $"{Number(network.EmbeddingSize)}{(network.TiedItemEmbedding ? ", tied to the output" : ", another for the output")}"),
            new("reads at most", $"{Number(network.MaxSequenceLength)} events{(learning.MinContext > 0 ? $", trained with at least {Number(learning.MinContext)} before a target" : "")}"),
        };
        if (network.EventFeatures.Count > 0)
            settings.Add(new("features of events", string.Join(", ", network.EventFeatures.Select(Feature))));
        if (plan.Tasks.Any(task => task.Kind != TaskKind.NextItem))
        {
            settings.Add(new("trunk", Trunk(network)));
            if (network.RequestFeatures.Count > 0)
                settings.Add(new("features of requests", string.Join(", ", network.RequestFeatures.Select(feature => feature.Name + Wide(feature.EmbeddingSize)))));
            if (network.ItemTerms)
                settings.Add(new("a term for each item", $"learnt by {Number(network.ItemTermRate)} of the learning rate"));
            settings.Add(new("towers", network.TowerSize == 0 ? "none" : $"a layer of {Number(network.TowerSize)}"));
        }

        settings.Add(new("dropout", Number(network.Dropout)));
        settings.Add(new("parameters", Number(manifest.ParameterCount)));
        if (plan.Tasks.Count > 1)
        {
            settings.Add(new("weighting of the tasks", Word(learning.Weighting)));
            settings.Add(new("weights of the tasks", string.Join(", ", plan.Tasks.Select(task => $"{task.Name} {Number(task.Weight)}"))));
        }

        if (plan.Distillation > 0)
            settings.Add(new("labels of binary tasks", $"{Number(plan.Distillation)} of what a model of the task alone says"));
        if (plan.Tasks.Any(task => task.Kind == TaskKind.NextItem))
            settings.Add(new("next item learnt by", NextItem(learning.NextItem) + (network.ItemMemory ? ", with a memory of items" : "") + (network.RepeatTerms ? ", with terms of repeated items" : "")));
        settings.Add(new("optimiser", Optimizer(learning.Optimizer)));
        settings.Add(new("learning rate", Rate(learning)));
        settings.Add(new("gradient norm at most", Number(learning.GradientClipNorm)));
        settings.Add(new("batch", $"{Number(learning.BatchSize)} sequences"));
        settings.Add(new("epochs at most", $"{Number(learning.Epochs)}, or {Number(learning.Patience)} without a better one{(learning.MaxDuration is { } longest ? $", or {longest.ToString("g", CultureInfo.InvariantCulture)} h" : "")}"));
        settings.Add(new("seed", learning.Seed.ToString(CultureInfo.InvariantCulture)));
        return [.. settings];
    }

    private static string Encoder(ArchitecturePlan network)
    {
        var kind = $"{Word(network.Encoder)}, {Number(network.Layers)} layer{(network.Layers == 1 ? "" : "s")} of {Number(network.HiddenSize)}";
        return network.Encoder switch
        {
            EncoderKind.Gru => $"{kind}, reset {(network.ResetPlacement == ResetPlacement.BeforeProduct ? "before" : "after")} the product",
            EncoderKind.Cnn => $"cnn of {Number(network.HiddenSize)} over {Number(network.WindowLength)} events, {Number(network.HorizontalFilters)} filters each of heights "
                + $"{(network.FilterHeights.Count == 0 ? "1, 2 and 4" : string.Join(", ", network.FilterHeights.Select(height => Number(height))))}, {Number(network.VerticalFilters)} vertical",
            _ => kind,
        };
    }

    private static string Feature(EventFeaturePlan feature) =>
        $"{feature.Name}{(feature.Source == FeatureSource.Context ? "" : $" ({Word(feature.Source)}{(feature.Buckets > 0 ? $", {Number(feature.Buckets)} intervals" : "")})")}{Wide(feature.EmbeddingSize)}";

    private static string Wide(int size) => size > 0 ? $" in {Number(size)} columns" : "";

    private static string Trunk(ArchitecturePlan network) => network.Trunk switch
    {
        TrunkKind.SharedBottom => $"shared bottom of {Number(network.BottomSize)}",
        TrunkKind.Mmoe => $"mmoe, {Number(network.SharedExperts)} experts of {Number(network.BottomSize)}",
        TrunkKind.Ple => $"ple, {Own(network)}, {Number(network.TrunkLevels)} level{(network.TrunkLevels == 1 ? "" : "s")}",
        TrunkKind.Stem => $"stem, {Own(network)}, each task with an item embedding of its own",
        var kind => $"{Word(kind)}, {Own(network)}",
    };

    private static string Own(ArchitecturePlan network) =>
        $"{Number(network.SharedExperts)} shared experts and {Number(network.TaskExperts)} of each task, of {Number(network.BottomSize)}";

    private static string NextItem(NextItemPlan plan) => plan.Loss switch
    {
        NextItemLossKind.FullSoftmax => $"softmax over all items{(plan.Float32Products ? ", products in float32" : "")}",
        NextItemLossKind.SampledSoftmax => $"sampled softmax, {Drawn(plan)}",
        _ => $"bpr-max, {Drawn(plan)}, penalty {Number(plan.ScorePenalty)}",
    };

    private static string Drawn(NextItemPlan plan) => $"{Number(plan.Negatives)} items a step drawn by count to the {Number(plan.SamplingPower)}";

    private static string Optimizer(OptimizerPlan plan) =>
        $"{Word(plan.Kind)}{(plan.Kind == OptimizerKind.Sgd ? $", momentum {Number(plan.Momentum)}" : "")}, weight decay {Number(plan.WeightDecay)}{(plan.LazyEmbeddings ? ", lazy embeddings" : "")}";

    private static string Rate(OptimizationPlan plan) =>
        $"{Number(plan.LearningRate)}, {(plan.Optimizer.Schedule == LearningRateSchedule.Constant ? "constant" : $"falling by a {Word(plan.Optimizer.Schedule)}")}"
        + (plan.Optimizer.WarmUp > 0 ? $" after a rise over {Number(plan.Optimizer.WarmUp)} of the steps" : "");

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Number(double value) => value.ToString("G6", CultureInfo.InvariantCulture);

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
