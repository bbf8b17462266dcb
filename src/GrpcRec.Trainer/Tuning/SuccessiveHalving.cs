using System.Text.Json.Nodes;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Optimizers;

namespace GrpcRec.Trainer.Tuning;

/// <summary>
/// Successive halving (Jamieson and Talwalkar, 2016): all trials train for a few epochs, the better share of them goes on for more, and so on. A
/// trial goes on from its checkpoint, so nothing is trained twice. One rung is a random search. Only the validation split is looked at.
/// </summary>
/// <param name="Rungs">Epochs in all at the end of each rung, ascending.</param>
/// <param name="Keep">Share of the trials that goes on, above 0, below 1; at least one does.</param>
sealed record SuccessiveHalving(TrainingPlan Plan, SearchSpace Space, int Trials, IReadOnlyList<int> Rungs, double Keep, long Seed, string Directory)
{
    /// <param name="dataset">Split; its test part is not used.</param>
    /// <param name="show">A training's title, and the training.</param>
    /// <param name="note">Told what a person should know.</param>
    /// <returns>All trials, the best first.</returns>
    /// <exception cref="TrainingException">The directory holds another search, or not one trial could be trained.</exception>
    public TuningState Run(
        SequenceDataset dataset, Func<string, Func<IProgress<TrainingProgressReport>, TrainingOutcome>, TrainingOutcome> show, TimeProvider clock,
        Action<string> note, CancellationToken cancellation)
    {
        var data = WithoutTest(dataset);
        var state = Begin(data);
        var alive = state.Trials.Where(trial => trial.Failure is null).Select(trial => trial.Number).ToList();
        for (var rung = 0; rung < Rungs.Count; rung++)
        {
            // 1. Train all that are left up to this rung.
            foreach (var number in alive)
            {
                cancellation.ThrowIfCancellationRequested();
                if (state.Trials[number].Rung >= Rungs[rung] || state.Trials[number].Failure is not null)
                    continue;
                var (trial, criterion) = Train(data, state.Trials[number], Rungs[rung], show, clock, note, cancellation);
                state = state with { Criterion = criterion ?? state.Criterion, Trials = [.. state.Trials.Select(one => one.Number == number ? trial : one)] };
                state.Save(Directory);
            }

            // 2. The better share goes on.
            alive.RemoveAll(number => state.Trials[number].Failure is not null);
            alive = [.. alive.OrderByDescending(number => state.Trials[number].Value).ThenBy(number => number)];
            if (rung + 1 < Rungs.Count)
                alive = [.. alive.Take(Math.Max(1, (int)Math.Ceiling(alive.Count * Keep)))];
        }

        if (alive.Count == 0)
            throw new TrainingException($"Not one trial could be trained; the first says: {state.Trials[0].Failure}");
        return state with { Trials = [.. state.Trials.OrderByDescending(trial => trial.Rung).ThenByDescending(trial => trial.Value ?? double.NegativeInfinity).ThenBy(trial => trial.Number)] };
    }

    private TuningState Begin(SequenceDataset data)
    {
        var fingerprint = string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{data.SplitSha256} {Plan.Fingerprint()} {Seed} {Trials} {Space.Text}");
        var state = TuningState.Load(Directory);
        if (state is not null && state.Fingerprint != fingerprint)
            throw new TrainingException($"{Path.Combine(Directory, TuningState.FileName)} holds another search (of other data, settings, space, seed or number of trials). Give another --out, or delete it.");
        if (state is not null)
            return state;

        // Every draw must name settings that exist: better now than in the night.
        TuningTrial[] trials = [.. Enumerable.Range(0, Trials).Select(n => new TuningTrial { Number = n, Settings = n == 0 ? [] : Space.Draw(Seed, n) })];
        foreach (var trial in trials)
        {
            var plan = PlanSettings.Apply(Plan, trial.Settings);
            // Whose learning rate hangs on how long it trains cannot go on for longer.
            if (Rungs.Count > 1 && plan.Optimization.Optimizer is { Schedule: not LearningRateSchedule.Constant } or { WarmUp: > 0 })
                throw new TrainingException("A schedule or a warm-up is as long as its training, so a trial with one cannot go on after a rung. Give one number with --rungs.");
        }

        state = new TuningState { Fingerprint = fingerprint, Trials = trials };
        state.Save(Directory);
        return state;
    }

    private (TuningTrial Trial, string? Criterion) Train(
        SequenceDataset data, TuningTrial trial, int epochs, Func<string, Func<IProgress<TrainingProgressReport>, TrainingOutcome>, TrainingOutcome> show,
        TimeProvider clock, Action<string> note, CancellationToken cancellation)
    {
        var name = $"trial-{trial.Number}";
        var plan = PlanSettings.Apply(Plan, trial.Settings) with { ModelVersion = name };
        plan = plan with { Optimization = plan.Optimization with { Epochs = epochs } };
        var scratch = System.IO.Directory.CreateTempSubdirectory("grpcrec-tune-");
        try
        {
            var outcome = show($"{name}, to epoch {epochs}", progress => ModelTrainer.Train(
                data, plan, Path.Combine(Directory, name), Path.Combine(scratch.FullName, name), progress, clock, cancellation, note: line => note($"{name}: {line}")));
            double[] curve = [.. outcome.History.Select(epoch => epoch.ValidationMetrics.GetValueOrDefault(outcome.Criterion, double.NaN))];
            note(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{name}: {outcome.Criterion} {outcome.BestValue:F4} after {outcome.History.Count} epochs, {Describe(trial.Settings)}"));
            return (trial with { Rung = epochs, Epochs = outcome.History.Count, Value = outcome.BestValue, Curve = [.. curve.Where(double.IsFinite)], Seconds = outcome.History.Sum(epoch => epoch.Seconds) }, outcome.Criterion);
        }
        catch (TrainingException failure)
        {
            note($"{name} is given up: {failure.Message}");
            return (trial with { Rung = epochs, Failure = failure.Message }, null);
        }
        finally
        {
            scratch.Delete(recursive: true);
        }
    }

    public static string Describe(JsonObject settings) =>
        settings.Count == 0 ? "the settings as they are" : string.Join(" ", settings.Select(setting => $"{setting.Key}={setting.Value?.ToJsonString() ?? "null"}"));

    private static SequenceDataset WithoutTest(SequenceDataset whole)
    {
        if (Array.IndexOf(whole.Roles, SplitRole.Validation) < 0)
            throw new TrainingException("There is no validation split to choose settings on.");
        return whole.WithRoles(Array.ConvertAll(whole.Roles, role => role == SplitRole.Test ? SplitRole.None : role));
    }
}
