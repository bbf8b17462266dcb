namespace GrpcRec.Training.Evaluation;

/// <summary>
/// accuracy, precision, recall, f1, logloss and count of one multi-class task, written as <c>metric/task</c>.
/// precision, recall and f1 are macro averages over the classes that occur as labels; a class that is never predicted has precision 0.
/// </summary>
public sealed class MulticlassMetrics
{
    private readonly long[] _labelled, _predicted, _correct;
    private double _logLoss;
    private long _count;

    /// <param name="classes">At least 2.</param>
    public MulticlassMetrics(int classes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 2);
        _labelled = new long[classes];
        _predicted = new long[classes];
        _correct = new long[classes];
    }

    /// <summary>Rows added.</summary>
    public long Count => _count;

    /// <param name="probabilities">[classes] Each 0 to 1. The largest is the prediction; of equal ones, the first.</param>
    /// <param name="label">0 … classes - 1.</param>
    public void Add(ReadOnlySpan<float> probabilities, int label)
    {
        if (probabilities.Length != _labelled.Length)
            throw new ArgumentException($"There are {_labelled.Length} classes and {probabilities.Length} probabilities.", nameof(probabilities));
        ArgumentOutOfRangeException.ThrowIfNegative(label);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(label, _labelled.Length);
        var predicted = 0;
        for (var c = 0; c < probabilities.Length; c++)
        {
            // A softmax summed in float32 may pass 1 by its rounding.
            if (!(probabilities[c] >= 0 && probabilities[c] <= 1 + 1e-5f))
                throw new ArgumentOutOfRangeException(nameof(probabilities), probabilities[c], "A multi-class task is scored with probabilities, 0 to 1.");
            if (probabilities[c] > probabilities[predicted])
                predicted = c;
        }

        _count++;
        _labelled[label]++;
        _predicted[predicted]++;
        if (predicted == label)
            _correct[label]++;
        _logLoss -= Math.Log(Math.Clamp(probabilities[label], BinaryMetrics.LogLossEpsilon, 1));
    }

    /// <summary>Writes the count, and the rest when there is a row.</summary>
    public void AddTo(IDictionary<string, double> metrics, string taskName)
    {
        ArgumentNullException.ThrowIfNull(metrics);
        metrics["count/" + taskName] = _count;
        if (_count == 0)
            return;

        double precision = 0, recall = 0, f1 = 0;
        var present = 0;
        for (var c = 0; c < _labelled.Length; c++)
        {
            if (_labelled[c] == 0)
                continue;
            present++;
            precision += _predicted[c] == 0 ? 0 : (double)_correct[c] / _predicted[c];
            recall += (double)_correct[c] / _labelled[c];
            f1 += 2.0 * _correct[c] / (_labelled[c] + _predicted[c]);
        }

        metrics["accuracy/" + taskName] = (double)_correct.Sum() / _count;
        metrics["precision/" + taskName] = precision / present;
        metrics["recall/" + taskName] = recall / present;
        metrics["f1/" + taskName] = f1 / present;
        metrics["logloss/" + taskName] = _logLoss / _count;
    }
}
