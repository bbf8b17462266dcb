using GrpcRec.Engine.Models;
using GrpcRec.Training.CollaborativeFiltering;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Encoders;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Losses;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Optimizers;
using GrpcRec.Training.Weighting;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Learning;

/// <summary>The epochs of one run: training, validation, checkpoint, and when to stop.</summary>
internal sealed class TrainingRun : IDisposable
{
    private static readonly TimeSpan BetweenReports = TimeSpan.FromMilliseconds(200);
    private readonly SequenceDataset _data;
    private readonly string _dataSha256;
    private readonly TrainingPlan _plan;
    private readonly IReadOnlyList<TaskLabels> _tasks;
    private readonly ModelManifest _manifest;
    private readonly TrainingCheckpoint _checkpoint;
    private readonly TimeProvider _clock;
    private readonly IProgress<TrainingProgressReport>? _progress;
    private readonly Action<string>? _note;
    private readonly ModelInputs _inputs;
    private readonly TorchEvaluator _validator;
    private readonly bool _validates;
    private readonly MultiTaskModel _model;
    private readonly ParameterOptimizer _optimizer;
    private readonly NextItemLoss _nextItem;
    private readonly TaskWeighting _weighting;
    private readonly int _stepsPerEpoch;
    private long _started, _reported;
    private double _earlierSeconds;

    public TrainingRun(
        SequenceDataset data, TrainingPlan plan, IReadOnlyList<TaskLabels> tasks, ModelManifest manifest, TrainingCheckpoint checkpoint,
        TimeProvider clock, IProgress<TrainingProgressReport>? progress, Action<string>? note)
    {
        (_data, _plan, _tasks, _manifest, _checkpoint, _clock, _progress, _note) = (data, plan, tasks, manifest, checkpoint, clock, progress, note);
        _dataSha256 = data.SplitSha256;
        // An epoch's own windows are cut elsewhere: a few more or fewer.
        var windows = EventWindow.ForTraining(data, plan.Architecture.MaxSequenceLength, plan.Optimization.MinContext);
        _stepsPerEpoch = (windows.Count + plan.Optimization.BatchSize - 1) / plan.Optimization.BatchSize;
        _inputs = new ModelInputs(manifest, data);
        _validator = new TorchEvaluator(data, _inputs, tasks, plan.Evaluation, plan.Architecture.MaxSequenceLength, plan.Optimization.BatchSize);
        _weighting = TaskWeightings.Create(plan.Optimization.Weighting, [.. tasks.Select(task => task.Definition.Weight)], plan.Optimization.Seed);
        _validates = Array.IndexOf(data.Roles, SplitRole.Validation) >= 0;
        random.manual_seed(Mix(plan.Optimization.Seed, epoch: 0));
        _model = new MultiTaskModel(manifest, plan.Architecture.Dropout);
        // BPR-max holds scores near zero, where logarithms of shares are not.
        if (_model.Parameters.Has(ModelTensors.NextItemBias) && plan.Optimization.NextItem.Loss != NextItemLossKind.BprMax)
            StartFromPopularity();
        if (_model.Parameters.Has(ModelTensors.RepeatTerm))
            StartFromRepeats();
        StartFromRates();
        _optimizer = ParameterOptimizer.Create(_model.Parameters.Named, plan.Optimization.Optimizer, plan.Architecture.ItemTermRate);
        _nextItem = NextItemLoss.Create(plan.Optimization.NextItem, data.Items);
    }

    /// <returns>Where the run stands, what chose the best epoch, and why it ended.</returns>
    public (TrainingState State, string Criterion, TrainingEnd End) ToTheEnd(CancellationToken cancellation)
    {
        _started = _reported = _clock.GetTimestamp();
        var optimization = _plan.Optimization;
        var criterion = SelectionCriterion.LastEpoch;

        // 1. Take up an earlier run, or begin.
        var state = Resume() ?? new TrainingState
        {
            PlanFingerprint = TrainingPlanRules.Fingerprint(_plan), DataSha256 = _dataSha256,
            Epoch = 0, Step = 0, BestEpoch = 0, BestValue = double.NegativeInfinity, Seconds = 0, OptimizerSha256 = "", History = [],
        };
        _earlierSeconds = state.Seconds;
        if (state.History.Count > 0)
            criterion = SelectionCriterion.Of(state.History[^1].ValidationMetrics, _tasks, state.Epoch).Name;

        while (true)
        {
            // 2. Is there a reason to stop?
            if (state.Epoch >= optimization.Epochs)
                return (state, criterion, TrainingEnd.Epochs);
            if (_validates && state.Epoch - state.BestEpoch >= optimization.Patience)
                return (state, criterion, TrainingEnd.EarlyStopping);
            if (state.Epoch > 0 && IsOutOfTime())
                return (state, criterion, TrainingEnd.MaxDuration);

            // 3. One epoch of steps, as far as time allows.
            var before = Elapsed();
            var epoch = TrainEpoch(state, cancellation);
            _weighting.AfterEpoch(epoch.MeanLosses);

            // 4. Validate; keep the better.
            _progress?.Report(Report(state, TrainingStage.Validating, epoch));
            int[] cutoffs = [.. _plan.Evaluation.Cutoffs.Append(SelectionCriterion.RankingCutoff).Distinct()];
            var validation = _validates
                ? _validator.Evaluate(_model, SplitRole.Validation, cutoffs, cancellation)
                : new Dictionary<string, double>();
            (criterion, var value) = SelectionCriterion.Of(validation, _tasks, state.Epoch + 1);
            var isBetter = value > state.BestValue;
            var record = new EpochRecord(state.Epoch + 1, epoch.Loss, epoch.TaskLosses, validation, epoch.GradientNorm, (Elapsed() - before).TotalSeconds)
            {
                GradientCosines = epoch.Cosines.Mean,
            };

            // 5. Checkpoint, then tell: what was told is on disk.
            state = state with
            {
                Epoch = state.Epoch + 1,
                Step = state.Step + epoch.Steps,
                BestEpoch = isBetter ? state.Epoch + 1 : state.BestEpoch,
                BestValue = isBetter ? value : state.BestValue,
                Seconds = Elapsed().TotalSeconds,
                History = [.. state.History, record],
                WeightingState = _weighting.State,
            };
            state = _checkpoint.Save(state, _manifest, _data.Items, _model.Parameters, _optimizer);
            _progress?.Report(Report(state, TrainingStage.Training));
        }
    }

    /// <param name="running">The epoch that <paramref name="state"/> does not hold yet; null between epochs.</param>
    public TrainingProgressReport Report(TrainingState state, TrainingStage stage, TrainingEpoch? running = null)
    {
        var last = state.History.Count > 0 ? state.History[^1] : null;
        var step = state.Step + (running?.Steps ?? 0);
        return new TrainingProgressReport
        {
            Stage = stage,
            Epoch = state.Epoch + (running is null ? 0 : 1),
            Epochs = _plan.Optimization.Epochs,
            Step = step,
            Steps = TotalSteps,
            Loss = running?.Loss ?? last?.Loss ?? 0,
            TaskLosses = running?.TaskLosses ?? last?.TaskLosses ?? new Dictionary<string, double>(),
            ValidationMetrics = last?.ValidationMetrics ?? new Dictionary<string, double>(),
            Remaining = stage is TrainingStage.Training or TrainingStage.Validating ? Remaining(step) : null,
            BestEpoch = state.BestEpoch,
        };
    }

    public void Dispose()
    {
        _optimizer.Dispose();
        _model.Dispose();
    }

    private long TotalSteps => (long)_stepsPerEpoch * _plan.Optimization.Epochs;

    private TrainingState? Resume()
    {
        var (state, why) = _checkpoint.Find(TrainingPlanRules.Fingerprint(_plan), _dataSha256);
        if (state is null)
        {
            if (why is not null)
                _note?.Invoke($"Training starts anew: {why}.");
            return null;
        }

        try
        {
            _checkpoint.Restore(state, _model.Parameters, _optimizer);
            _weighting.State = state.WeightingState;
            if (state.BestEpoch != state.Epoch)
                _checkpoint.LoadWeights(state.BestEpoch);
            _note?.Invoke($"Training goes on after epoch {state.Epoch}.");
            return state;
        }
        catch (InvalidDataException e)
        {
            throw new TrainingException($"The checkpoint's optimiser file cannot be used: {e.Message}. Delete the checkpoint to start anew.", e);
        }
        catch (ArtifactException e)
        {
            throw new TrainingException($"The checkpoint's weights are damaged ({e.Message}). Delete the checkpoint to start anew.", e);
        }
    }

    private TrainingEpoch TrainEpoch(TrainingState state, CancellationToken cancellation)
    {
        var seed = Mix(_plan.Optimization.Seed, state.Epoch + 1);
        torch.random.manual_seed(seed);
        var random = new Random((int)(seed & int.MaxValue));
        var windows = EventWindow.ForTraining(_data, _plan.Architecture.MaxSequenceLength, _plan.Optimization.MinContext, random);
        var batches = EventWindow.BatchToTrain(windows, _plan.Optimization.BatchSize, random);
        var epoch = new TrainingEpoch(_data, _tasks, _model, _optimizer, _weighting, _nextItem, _inputs, _plan.Optimization.GradientClipNorm);
        foreach (var batch in batches)
        {
            cancellation.ThrowIfCancellationRequested();
            if (epoch.Steps > 0 && IsOutOfTime())
                break;
            var step = state.Step + epoch.Steps + 1;
            epoch.Step(batch, step, _plan.Optimization.LearningRate * _plan.Optimization.Optimizer.Factor(step, TotalSteps));
            if (_clock.GetElapsedTime(_reported) < BetweenReports)
                continue;
            _reported = _clock.GetTimestamp();
            _progress?.Report(Report(state, TrainingStage.Training, epoch));
        }

        return epoch;
    }

    private TimeSpan Elapsed() => _clock.GetElapsedTime(_started) + TimeSpan.FromSeconds(_earlierSeconds);

    private bool IsOutOfTime() => _plan.Optimization.MaxDuration is { } limit && Elapsed() >= limit;

    private TimeSpan? Remaining(long step)
    {
        if (step == 0)
            return _plan.Optimization.MaxDuration - Elapsed();
        var bySteps = Elapsed() * ((double)(TotalSteps - step) / step);
        return _plan.Optimization.MaxDuration is { } limit && limit - Elapsed() < bySteps ? limit - Elapsed() : bySteps;
    }

    /// <summary>Item biases start at the log of each item's share of the training events: the first step already knows what is popular.</summary>
    private void StartFromPopularity()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        _model.Parameters[ModelTensors.NextItemBias].copy_(tensor(PopularityBaseline.LogShares(_data.Items)));
    }

    /// <summary>Repeat terms start at the log of how often a target repeats an item at that distance, against how often popularity alone would have it.</summary>
    private void StartFromRepeats()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        _model.Parameters[ModelTensors.RepeatTerm].copy_(tensor(RepeatRates.LogRatios(_data, _plan.Architecture.MaxSequenceLength)));
    }

    /// <summary>Terms of items start at what the items' rates add to the log-odds of all, and the outputs' bias at those: the first step already knows the rates.</summary>
    private void StartFromRates()
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        foreach (var task in _tasks.Where(task => _model.Parameters.Has(ModelTensors.TaskItemBias(task.Name))))
        {
            var (all, items) = ItemRates.LogOdds(_data, task, _tasks.FirstOrDefault(one => one.Name == task.Definition.Given));
            _model.Parameters[ModelTensors.OutputBias(task.Name)].fill_(all);
            _model.Parameters[ModelTensors.TaskItemBias(task.Name)].copy_(tensor(items));
        }
    }

    /// <summary>Different generators for neighbouring seeds and epochs (SplitMix64's finaliser).</summary>
    private static long Mix(long seed, int epoch)
    {
        var z = unchecked((ulong)seed * 0x9E3779B97F4A7C15UL + (ulong)epoch * 0xD1B54A32D192ED03UL);
        z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL);
        z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EBUL);
        return (long)((z ^ (z >> 31)) >> 1);
    }
}
