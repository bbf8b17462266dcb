using GrpcRec.Engine.Models;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Evaluation;

/// <summary>
/// The metrics of all tasks of one model. Over several tasks: auc/mean over the binary tasks that have one; and accuracy, precision, recall
/// and f1 over all tasks with labels, where every one of them has it, since a mean that leaves the hard tasks out would flatter.
/// </summary>
internal sealed class TaskMetrics
{
    private static readonly string[] AveragedKinds = ["accuracy", "precision", "recall", "f1"];
    private readonly IReadOnlyList<TaskLabels> _tasks;
    private readonly RankingMetrics _ranking;
    private readonly BinaryMetrics?[] _binary;
    private readonly MulticlassMetrics?[] _multiclass;
    private readonly RegressionMetrics?[] _regression;
    private readonly (double Offset, double Scale)[] _standards;
    private readonly CatalogCoverage? _coverage;
    private readonly HashSet<int> _groups = [];

    /// <param name="catalogSize">For coverage@k; 0: it is not measured.</param>
    /// <param name="standards">Of each task, what makes a regression's output a number in the labels' unit. Null: what its labels say.</param>
    public TaskMetrics(IReadOnlyList<TaskLabels> tasks, IReadOnlyList<int> cutoffs, int catalogSize = 0, IEnumerable<(double Offset, double Scale)>? standards = null)
    {
        _standards = [.. standards ?? tasks.Select(task => task.Standard)];
        _tasks = tasks;
        _ranking = new RankingMetrics(cutoffs);
        _binary = [.. tasks.Select(task => task.Kind == TaskKind.Binary ? new BinaryMetrics() : null)];
        _regression = [.. tasks.Select(task => task.Kind == TaskKind.Regression ? new RegressionMetrics() : null)];
        _multiclass = [.. tasks.Select(task => task.Kind == TaskKind.Multiclass ? new MulticlassMetrics(task.ClassNames.Length) : null)];
        _coverage = catalogSize > 0 ? new CatalogCoverage(cutoffs, catalogSize) : null;
    }

    /// <param name="sequence">Whose target it is.</param>
    public void AddRank(int sequence, int rank)
    {
        _groups.Add(sequence);
        _ranking.Add(rank, sequence);
    }

    /// <param name="place">Of a recommended item, from 1.</param>
    public void AddRecommended(int item, int place) => _coverage?.Add(item, place);

    /// <param name="logits">[C] of any task but next_item; overwritten.</param>
    public void AddLogits(int task, int sequence, Span<float> logits, float label)
    {
        _groups.Add(sequence);
        if (_binary[task] is { } binary)
            binary.Add(sequence, 1 / (1 + MathF.Exp(-logits[0])), label > 0.5f);
        else if (_regression[task] is { } regression)
            regression.Add(_standards[task].Offset + (_standards[task].Scale * logits[0]), label, sequence);
        else
        {
            Softmax(logits);
            _multiclass[task]!.Add(logits, (int)label, sequence);
        }
    }

    public IReadOnlyDictionary<string, double> ToDictionary() => Report(resamples: 0).Metrics;

    /// <param name="resamples">0: no confidence intervals.</param>
    public EvaluationReport Report(int resamples = Bootstrap.DefaultResamples, long seed = 1, CancellationToken cancellation = default)
    {
        // 1. The families that have rows, and where each one's values stand.
        var families = new List<(IMetricFamily Family, string Suffix, int Start)>();
        var names = new List<string>();
        var metrics = new SortedDictionary<string, double>(StringComparer.Ordinal);
        Take(_ranking, "");
        for (var k = 0; k < _tasks.Count; k++)
        {
            if (Family(k) is not { } family)
                continue;
            metrics["count/" + _tasks[k].Name] = family.RowCount;
            Take(family, "/" + _tasks[k].Name);
        }

        // 2. The figures themselves, and which of them have a mean.
        var figures = new double[names.Count];
        Fill([], figures);
        var means = Means(names, figures);
        for (var m = 0; m < names.Count; m++)
        {
            if (!double.IsNaN(figures[m]))
                metrics[names[m]] = figures[m];
        }

        foreach (var (name, sources) in means)
            metrics[name] = sources.Average(source => figures[source]);
        if (_ranking.Count > 0)
            _coverage?.AddTo(metrics);

        // 3. The same of resampled users.
        var draws = resamples == 0 ? 0 : Bootstrap.ResamplesFor(families.Sum(family => family.Family.RowCount), resamples);
        var samples = new BootstrapSamples(draws);
        var drawn = Bootstrap.Draw([.. _groups.Order()], draws, seed, names.Count, Fill, cancellation);
        for (var m = 0; m < names.Count && draws > 0; m++)
        {
            if (!double.IsNaN(figures[m]))
                samples.Add(names[m], drawn[m]);
        }

        foreach (var (name, sources) in means.Where(_ => draws > 0))
            samples.Add(name, [.. Enumerable.Range(0, draws).Select(r => sources.Average(source => drawn[source][r]))]);
        return new EvaluationReport { Metrics = metrics, Bootstrap = samples, Calibration = Calibration() };

        void Take(IMetricFamily family, string suffix)
        {
            if (family.RowCount == 0)
                return;
            family.Prepare();
            families.Add((family, suffix, names.Count));
            names.AddRange(family.Kinds.Select(kind => kind + suffix));
        }

        void Fill(ReadOnlySpan<int> weights, Span<double> values)
        {
            foreach (var (family, _, start) in families)
                family.Measure(weights, values.Slice(start, family.Kinds.Count));
        }
    }

    /// <returns>Mean's name, and the metrics that it is the mean of.</returns>
    private List<(string Name, int[] Sources)> Means(List<string> names, double[] figures)
    {
        var means = new List<(string, int[])>();
        int[] areas = [.. Sources("auc", k => _binary[k]?.Count > 0).Where(source => !double.IsNaN(figures[source]))];
        if (areas.Length > 0)
            means.Add(("auc/mean", areas));
        foreach (var kind in AveragedKinds)
        {
            int[] sources = [.. Sources(kind, k => Family(k) is { RowCount: > 0 } family && family.Kinds.Contains(kind))]; // a regression knows none of them
            if (sources.Length > 1 && sources.All(source => !double.IsNaN(figures[source])))
                means.Add((kind + "/mean", sources));
        }

        return means;

        IEnumerable<int> Sources(string kind, Func<int, bool> has) =>
            Enumerable.Range(0, _tasks.Count).Where(has).Select(k => names.IndexOf($"{kind}/{_tasks[k].Name}"));
    }

    private IMetricFamily? Family(int task) => (IMetricFamily?)_binary[task] ?? (IMetricFamily?)_multiclass[task] ?? _regression[task];

    private SortedDictionary<string, IReadOnlyList<CalibrationBin>> Calibration()
    {
        var calibration = new SortedDictionary<string, IReadOnlyList<CalibrationBin>>(StringComparer.Ordinal);
        for (var k = 0; k < _tasks.Count; k++)
        {
            if (_binary[k] is { Count: > 0 } binary)
                calibration[_tasks[k].Name] = binary.Calibration();
            else if (_multiclass[k] is { Count: > 0 } multiclass)
                calibration[_tasks[k].Name] = multiclass.Calibration();
        }

        return calibration;
    }

    private static void Softmax(Span<float> logits)
    {
        var largest = float.NegativeInfinity;
        foreach (var logit in logits)
            largest = Math.Max(largest, logit);
        var sum = 0f;
        foreach (ref var logit in logits)
            sum += logit = MathF.Exp(logit - largest);
        foreach (ref var logit in logits)
            logit /= sum;
    }
}
