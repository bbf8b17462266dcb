using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>Baselines that can be served.</summary>
public enum ServableBaseline
{
    Popularity,

    /// <summary>A sequence is the mean of its items' factors, of all that the model reads; see <see cref="BprFactors"/>.</summary>
    MatrixFactorisation,
}

/// <summary>
/// Writes a baseline as an artefact like any other: weights of a bag encoder that compute what the baseline does. So it is served, ranked,
/// exported and evaluated with no code of its own.
/// </summary>
public static class BaselineTrainer
{
    /// <summary>Of a popularity model, whose embeddings are zero.</summary>
    private const int LeastWidth = 4;

    /// <summary>
    /// A bag's last layer ends in tanh, which is the identity near zero: the mean is scaled down before and up after. At 1/32 a factor of 1
    /// is off by 3e-4 of itself through tanh's curve, and by less through its rounding.
    /// </summary>
    private const float TanhScale = 1f / 32;

    /// <param name="plan">Its name, version, tasks (one next_item, alone), longest sequence and evaluation are read.</param>
    /// <param name="artifactDirectory">Must not exist.</param>
    /// <param name="baselines">Metrics of baselines by <c>baseline/metric</c>, for the manifest.</param>
    /// <exception cref="TrainingException">The tasks are others, the version exists, or the data is too large to factorise.</exception>
    public static EvaluationReport Train(
        SequenceDataset data, ServableBaseline kind, TrainingPlan plan, string artifactDirectory, TimeProvider clock,
        CancellationToken cancellation, IReadOnlyDictionary<string, double>? baselines = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(plan);
        ArgumentNullException.ThrowIfNull(clock);
        if (plan.Tasks is not [{ Kind: TaskKind.NextItem }])
            throw new TrainingException("A baseline predicts the next item alone; give one next_item task, or none.") { Field = "Tasks" };
        if (Path.Exists(artifactDirectory))
            throw new TrainingException($"Version {plan.ModelVersion} of model {plan.ModelName} exists already; train another version.") { Field = nameof(plan.ModelVersion) };

        // 1. What the baseline knows.
        var factors = kind == ServableBaseline.MatrixFactorisation
            ? BprFactors.Learn(data, (int)(plan.Optimization.Seed & int.MaxValue), cancellation)
                ?? throw new TrainingException($"The data has more than {BprFactors.MaxRows:N0} users and items together, too many to factorise; filter rare ones with data.cleaning.")
            : null;

        // 2. The same as a bag.
        var width = factors is null ? LeastWidth : BprFactors.Width;
        var bag = new ArchitecturePlan
        {
            Encoder = EncoderKind.Bag, EmbeddingSize = width, BehaviorEmbeddingSize = 0, HiddenSize = width, TowerSize = 0, MaxSequenceLength = plan.Architecture.MaxSequenceLength,
        };
        var manifest = TrainingPlanRules.Manifest(plan with { Architecture = bag }, data, TaskLabels.Build(data, plan.Tasks), clock.GetUtcNow());
        var tensors = ModelTensors.Expected(manifest).ToDictionary(
            tensor => tensor.Key, tensor => new WeightTensor(tensor.Value, new float[tensor.Value.Aggregate(1, (product, size) => product * size)]));
        if (factors is null)
        {
            PopularityBaseline.LogShares(data.Items).CopyTo(tensors[ModelTensors.NextItemBias].Data, 0);
        }
        else
        {
            for (var item = 0; item < data.Items.Count; item++)
                factors.Item(item).CopyTo(tensors[ModelTensors.ItemEmbedding].Data.AsSpan(item * width));
            factors.Biases.CopyTo(tensors[ModelTensors.NextItemBias].Data, 0);
            for (var unit = 0; unit < width; unit++)
            {
                tensors[ModelTensors.BagWeight(0)].Data[(unit * width) + unit] = TanhScale;
                tensors[ModelTensors.NextItemProjectionWeight].Data[(unit * width) + unit] = 1 / TanhScale;
            }
        }

        // 3. Judge it as it will be served, and write it.
        var report = ModelEvaluator.Report(
            ModelArtifact.Create(manifest, data.Items, tensors), data, plan.Tasks, plan.Evaluation, SplitRole.Test, cancellation: cancellation);
        ModelArtifact.Write(
            artifactDirectory, manifest with { Metrics = report.Metrics, BaselineMetrics = baselines ?? manifest.BaselineMetrics }, data.Items, tensors);
        ModelArtifact.Load(artifactDirectory);
        return report;
    }
}
