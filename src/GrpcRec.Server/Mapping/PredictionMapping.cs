using GrpcRec.Serving.Registry;
using GrpcRec.V1;
using TaskKind = GrpcRec.Engine.Models.TaskKind;

namespace GrpcRec.Server.Mapping;

/// <summary>From logits to what a task means.</summary>
public static class PredictionMapping
{
    /// <param name="row">Logits of all tasks of the kind (candidate or sequence) that <paramref name="column"/> is of.</param>
    public static TaskPrediction ToWire(TaskColumn column, ReadOnlySpan<float> row)
    {
        var logits = row.Slice(column.Offset, column.Task.OutputWidth);
        var prediction = new TaskPrediction { Task = column.Task.Name };
        switch (column.Task.Kind)
        {
            case TaskKind.Binary:
                prediction.Probability = Sigmoid(logits[0]);
                break;
            case TaskKind.Multiclass:
                prediction.Classes = new ClassProbabilities();
                prediction.Classes.Probabilities.AddRange(Softmax(logits));
                break;
            case TaskKind.NextItem:
                prediction.Logit = logits[0];
                break;
            case TaskKind.Regression:
                prediction.Expectation = Expectation(column, logits[0]);
                break;
            default:
                throw new InvalidOperationException($"no wire form of {column.Task.Kind}");
        }

        return prediction;
    }

    /// <summary>In double: a float32 logit past 17 would read as certainty.</summary>
    public static double Sigmoid(float logit) => 1 / (1 + Math.Exp(-(double)logit));

    /// <summary>regression: in the unit of the labels.</summary>
    public static double Expectation(TaskColumn column, float output) => column.Task.Offset + (column.Task.Scale * output);

    /// <returns>[C] summing to 1. The largest logit is taken off first, so that nothing overflows.</returns>
    private static double[] Softmax(ReadOnlySpan<float> logits)
    {
        var values = new double[logits.Length];
        var largest = double.NegativeInfinity;
        foreach (var logit in logits)
            largest = Math.Max(largest, logit);
        var sum = 0.0;
        for (var i = 0; i < values.Length; i++)
            sum += values[i] = Math.Exp(logits[i] - largest);
        for (var i = 0; i < values.Length; i++)
            values[i] /= sum;
        return values;
    }
}
