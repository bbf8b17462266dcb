using System.CommandLine;
using GrpcRec.V1;
using Duration = Google.Protobuf.WellKnownTypes.Duration;

namespace GrpcRec.Server.Commands;

/// <summary>The options of <c>grpcrec train</c> that say how to learn: one for each field of <see cref="Hyperparameters"/> that people change.</summary>
sealed class LearningOptions
{
    readonly Option<int?> _epochs = new("--epochs") { Description = "Most epochs. Default 20." };
    readonly Option<int?> _batchSize = new("--batch-size") { Description = "Sequences a step. Default 64." };
    readonly Option<double?> _learningRate = new("--learning-rate") { Description = "Step size. Default 0.003, which suits adam." };
    readonly Option<int?> _maxSeconds = new("--max-seconds") { Description = "Stop after this long, with the best epoch so far. Default: no limit." };
    readonly Option<int?> _patience = new("--patience") { Description = "Epochs without a better validation result before training stops. Default 5." };
    readonly Option<Weighting?> _weighting = new("--weighting") { Description = "How the tasks' losses are combined: fixed, equal, uncertainty, dwa, gradnorm, pcgrad, cagrad or famo. Default fixed." };
    readonly Option<double?> _distillation = new("--distillation") { Description = "Share of a binary task's label that a model of that task alone says, 0 to 1; it is trained first, which takes as long again for each. Default 0." };
    readonly Option<Optimizer?> _optimizer = new("--optimizer") { Description = "How a gradient becomes a step: adam, adamw or sgd. Default adam." };
    readonly Option<double?> _momentum = new("--momentum") { Description = "sgd: share of the last step that goes on. Default 0.9." };
    readonly Option<double?> _weightDecay = new("--weight-decay") { Description = "Pull of matrices and embeddings towards zero. Default 0." };
    readonly Option<bool> _lazyEmbeddings = new("--lazy-embeddings") { Description = "Leave embeddings that a step has no gradient for as they are." };
    readonly Option<LearningRateSchedule?> _schedule = new("--schedule") { Description = "What becomes of the learning rate: constant or cosine. Default constant." };
    readonly Option<double?> _warmUp = new("--warm-up") { Description = "Share of all steps over which the learning rate rises. Default 0." };
    readonly Option<NextItemLoss?> _nextItemLoss = new("--next-item-loss") { Description = "What next_item is trained by: fullsoftmax, sampledsoftmax or bprmax. Default fullsoftmax." };
    readonly Option<bool> _float32Products = new("--float32-products") { Description = "fullsoftmax: products in float32 also where the processor multiplies bf16 faster." };
    readonly Option<int?> _negatives = new("--negatives") { Description = "Items drawn for each step by a sampled loss. Default 1024." };
    readonly Option<long?> _seed = new("--seed") { Description = "Seed of everything random. Default 1." };

    public IEnumerable<Option> All =>
    [
        _epochs, _batchSize, _learningRate, _maxSeconds, _patience, _weighting, _distillation, _optimizer, _momentum, _weightDecay, _lazyEmbeddings, _schedule, _warmUp,
        _nextItemLoss, _float32Products, _negatives, _seed,
    ];

    public void Override(Hyperparameters learning, ParseResult parsed)
    {
        if (parsed.GetValue(_epochs) is { } epochs) learning.Epochs = epochs;
        if (parsed.GetValue(_batchSize) is { } batch) learning.BatchSize = batch;
        if (parsed.GetValue(_learningRate) is { } rate) learning.LearningRate = rate;
        if (parsed.GetValue(_maxSeconds) is { } seconds) learning.MaxDuration = Duration.FromTimeSpan(TimeSpan.FromSeconds(seconds));
        if (parsed.GetValue(_patience) is { } patience) learning.Patience = patience;
        if (parsed.GetValue(_weighting) is { } weighting) learning.Weighting = weighting;
        if (parsed.GetValue(_distillation) is { } distillation) learning.Distillation = distillation;
        if (parsed.GetValue(_optimizer) is { } optimizer) learning.Optimizer = optimizer;
        if (parsed.GetValue(_momentum) is { } momentum) learning.Momentum = momentum;
        if (parsed.GetValue(_weightDecay) is { } decay) learning.WeightDecay = decay;
        if (parsed.GetValue(_lazyEmbeddings)) learning.LazyEmbeddings = true;
        if (parsed.GetValue(_schedule) is { } schedule) learning.Schedule = schedule;
        if (parsed.GetValue(_warmUp) is { } rise) learning.WarmUp = rise;
        if (parsed.GetValue(_nextItemLoss) is { } loss) learning.NextItemLoss = loss;
        if (parsed.GetValue(_float32Products)) learning.Float32Products = true;
        if (parsed.GetValue(_negatives) is { } negatives) learning.Negatives = negatives;
        if (parsed.GetValue(_seed) is { } seed) learning.Seed = seed;
    }
}
