namespace GrpcRec.Training.Evaluation;

/// <summary>
/// accuracy, precision, recall, f1, logloss, ece and count of one multi-class task, written as <c>metric/task</c>.
/// precision, recall and f1 are macro averages over the classes that occur as labels; a class that is never predicted has precision 0.
/// ece compares the probability of the predicted class with how often it was right, over <see cref="EqualMassBins"/>.
/// Memory: 24 bytes a row, and as many again once it is measured.
/// </summary>
public sealed class MulticlassMetrics : IMetricFamily
{
    private static readonly string[] AllKinds = ["accuracy", "precision", "recall", "f1", "logloss", "ece"];

    private readonly int _classes;
    private readonly List<Row> _rows = [];
    private Row[]? _sorted;
    private int[] _binEnds = [];

    private readonly record struct Row(float Confidence, int Group, short Label, short Predicted, double Loss)
    {
        public bool IsRight => Label == Predicted;
    }

    /// <param name="classes">At least 2, at most 32,767.</param>
    public MulticlassMetrics(int classes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 2);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(classes, short.MaxValue);
        _classes = classes;
    }

    /// <summary>Rows added.</summary>
    public long Count => _rows.Count;

    public IReadOnlyList<string> Kinds => AllKinds;

    long IMetricFamily.RowCount => _rows.Count;

    /// <param name="probabilities">[classes] Each 0 to 1. The largest is the prediction; of equal ones, the first.</param>
    /// <param name="label">0 … classes - 1.</param>
    /// <param name="group">For the bootstrap, from 0: the sequence.</param>
    public void Add(ReadOnlySpan<float> probabilities, int label, int group = 0)
    {
        if (probabilities.Length != _classes)
            throw new ArgumentException($"There are {_classes} classes and {probabilities.Length} probabilities.", nameof(probabilities));
        ArgumentOutOfRangeException.ThrowIfNegative(label);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(label, _classes);
        ArgumentOutOfRangeException.ThrowIfNegative(group);
        var predicted = 0;
        for (var c = 0; c < probabilities.Length; c++)
        {
            // A softmax summed in float32 may pass 1 by its rounding.
            if (!(probabilities[c] >= 0 && probabilities[c] <= 1 + 1e-5f))
                throw new ArgumentOutOfRangeException(nameof(probabilities), probabilities[c], "A multi-class task is scored with probabilities, 0 to 1.");
            if (probabilities[c] > probabilities[predicted])
                predicted = c;
        }

        var loss = -Math.Log(Math.Clamp(probabilities[label], BinaryMetrics.LogLossEpsilon, 1));
        _rows.Add(new Row(probabilities[predicted], group, (short)label, (short)predicted, loss));
        _sorted = null;
    }

    /// <summary>Writes the count, and the rest when there is a row.</summary>
    public void AddTo(IDictionary<string, double> metrics, string taskName)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        metrics["count/" + taskName] = Count;
        if (Count == 0)
            return;
        Prepare();
        Span<double> values = stackalloc double[AllKinds.Length];
        Measure([], values);
        for (var i = 0; i < values.Length; i++)
            metrics[$"{AllKinds[i]}/{taskName}"] = values[i];
    }

    /// <summary>Probability of the predicted class and how often it was right, in bins of equal mass, ascending. Empty without rows.</summary>
    public IReadOnlyList<CalibrationBin> Calibration()
    {
        Prepare();
        return EqualMassBins.Describe(Array.ConvertAll(_sorted!, row => row.Confidence), Array.ConvertAll(_sorted!, row => row.IsRight));
    }

    public void Prepare()
    {
        if (_sorted is not null)
            return;
        Row[] sorted = [.. _rows.OrderBy(row => row.Confidence).ThenBy(row => row.Group)];
        _binEnds = EqualMassBins.Ends(Array.ConvertAll(sorted, row => row.Confidence));
        _sorted = sorted;
    }

    public void Measure(ReadOnlySpan<int> weights, Span<double> values)
    {
        var rows = _sorted ?? throw new InvalidOperationException("Prepare first.");

        // 1. Counts by class, and each bin's distance.
        double[] labelled = new double[_classes], predicted = new double[_classes], correct = new double[_classes];
        double count = 0, right = 0, loss = 0, calibration = 0;
        var at = 0;
        foreach (var end in _binEnds)
        {
            double expected = 0, observed = 0;
            for (; at < end; at++)
            {
                ref readonly var row = ref rows[at];
                double weight = weights.IsEmpty ? 1 : weights[row.Group];
                count += weight;
                loss += weight * row.Loss;
                expected += weight * row.Confidence;
                labelled[row.Label] += weight;
                predicted[row.Predicted] += weight;
                if (!row.IsRight)
                    continue;
                correct[row.Label] += weight;
                observed += weight;
            }

            right += observed;
            calibration += Math.Abs(expected - observed);
        }

        // 2. Macro averages over the classes that occur.
        double precision = 0, recall = 0, f1 = 0, present = 0;
        for (var c = 0; c < _classes; c++)
        {
            if (labelled[c] == 0)
                continue;
            present++;
            precision += predicted[c] == 0 ? 0 : correct[c] / predicted[c];
            recall += correct[c] / labelled[c];
            f1 += 2 * correct[c] / (labelled[c] + predicted[c]);
        }

        values[0] = right / count;
        values[1] = precision / present;
        values[2] = recall / present;
        values[3] = f1 / present;
        values[4] = loss / count;
        values[5] = calibration / count;
    }
}
