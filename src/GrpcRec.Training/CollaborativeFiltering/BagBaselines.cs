using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>Baselines as weights of a bag encoder that compute what the baseline does: so they are served and exported with no code of their own.</summary>
internal static class BagBaselines
{
    /// <summary>Of a popularity model, whose embeddings are zero.</summary>
    private const int LeastWidth = 4;

    /// <summary>
    /// A bag's last layer ends in tanh, which is the identity near zero: the mean is scaled down before and up after. At 1/32 a factor of 1
    /// is off by 3e-4 of itself through tanh's curve, and by less through its rounding.
    /// </summary>
    private const float TanhScale = 1f / 32;

    public static BaselineModel Popularity(SequenceDataset data, TrainingPlan plan, DateTimeOffset now)
    {
        var model = Zero(data, plan, LeastWidth, now);
        PopularityBaseline.LogShares(data.Items).CopyTo(model.Tensors[ModelTensors.NextItemBias].Data, 0);
        return model;
    }

    /// <exception cref="TrainingException">The data is too large to factorise.</exception>
    public static BaselineModel MatrixFactorisation(
        SequenceDataset data, TrainingPlan plan, DateTimeOffset now, Action<long, long>? progress, CancellationToken cancellation)
    {
        var factors = BprFactors.Learn(data, (int)(plan.Optimization.Seed & int.MaxValue), progress, cancellation)
            ?? throw new TrainingException($"The data has more than {BprFactors.MaxRows:N0} users and items together, too many to factorise; filter rare ones with data.cleaning.");
        const int width = BprFactors.Width;
        var model = Zero(data, plan, width, now);
        for (var item = 0; item < data.Items.Count; item++)
            factors.Item(item).CopyTo(model.Tensors[ModelTensors.ItemEmbedding].Data.AsSpan(item * width));
        factors.Biases.CopyTo(model.Tensors[ModelTensors.NextItemBias].Data, 0);
        for (var unit = 0; unit < width; unit++)
        {
            model.Tensors[ModelTensors.BagWeight(0)].Data[(unit * width) + unit] = TanhScale;
            model.Tensors[ModelTensors.NextItemProjectionWeight].Data[(unit * width) + unit] = 1 / TanhScale;
        }

        return model;
    }

    private static BaselineModel Zero(SequenceDataset data, TrainingPlan plan, int width, DateTimeOffset now)
    {
        var bag = new ArchitecturePlan
        {
            Encoder = EncoderKind.Bag, EmbeddingSize = width, BehaviorEmbeddingSize = 0, HiddenSize = width, TowerSize = 0, MaxSequenceLength = plan.Architecture.MaxSequenceLength,
        };
        var manifest = TrainingPlanRules.Manifest(plan with { Architecture = bag }, data, TaskLabels.Build(data, plan.Tasks), now);
        return new BaselineModel(manifest, ModelTensors.Expected(manifest).ToDictionary(
            tensor => tensor.Key, tensor => new WeightTensor(tensor.Value, new float[tensor.Value.Aggregate(1, (product, size) => product * size)])));
    }
}
