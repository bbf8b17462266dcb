using GrpcRec.Engine.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace GrpcRec.Training.Weighting;

/// <summary>
/// Each task's own gradient at one batch, apart: for methods that combine gradients, and for the report on how the tasks get along. Shared are
/// the parameters that do not belong to one task's tower or output.
/// </summary>
internal sealed class TaskGradients : IDisposable
{
    private readonly Parameter[] _parameters;
    private readonly bool[] _isShared;
    private readonly Tensor?[]?[] _gradients;

    private TaskGradients(Parameter[] parameters, bool[] isShared, Tensor?[]?[] gradients)
    {
        (_parameters, _isShared, _gradients) = (parameters, isShared, gradients);
        Products = new double[gradients.Length, gradients.Length];
        for (var i = 0; i < gradients.Length; i++)
        {
            for (var j = i; j < gradients.Length; j++)
                Products[i, j] = Products[j, i] = Product(gradients[i], gradients[j]);
        }
    }

    /// <summary>
    /// Gradients that were none, in this process: a task does not reach every parameter. They hold no memory, but TorchSharp counts each as a
    /// tensor for ever, and whoever counts tensors must know.
    /// </summary>
    internal static long Absent { get; private set; }

    /// <summary>[K, K] inner products over the shared parameters; NaN where a task has no label in the batch.</summary>
    public double[,] Products { get; }

    /// <param name="parameters">By name.</param>
    /// <param name="parts">[K] scalars whose gradients are the losses'; null: no label. Their graph is kept.</param>
    public static TaskGradients Compute(IReadOnlyList<(string Name, Parameter Parameter)> parameters, Tensor?[] parts)
    {
        Parameter[] inputs = [.. parameters.Select(one => one.Parameter)];
        using var scope = NewDisposeScope();
        var gradients = new Tensor?[]?[parts.Length];
        for (var k = 0; k < parts.Length; k++)
        {
            if (parts[k] is not { } part)
                continue;
            var found = autograd.grad([part], inputs, null, retain_graph: true, create_graph: false, allow_unused: true);
            Absent += found.Count(one => one is null || one.IsInvalid);
            gradients[k] = [.. found.Select(one => one is null || one.IsInvalid ? null : one.MoveToOuterDisposeScope())];
        }

        var lastLevel = parameters.Any(one => one.Name.StartsWith("trunk.l1.", StringComparison.Ordinal)) ? 1 : 0;
        return new TaskGradients(inputs, [.. parameters.Select(one => !IsOfOneTask(one.Name, lastLevel))], gradients);
    }

    /// <summary>Sets the parameters' gradients: Σ w·g on shared ones; on a task's own, its gradient times its factor.</summary>
    /// <param name="weights">[K] of the shared parameters.</param>
    /// <param name="factors">[K] of a task's own.</param>
    public void Apply(ReadOnlySpan<double> weights, IReadOnlyList<double> factors)
    {
        using var frozen = no_grad();
        for (var p = 0; p < _parameters.Length; p++)
        {
            using var scope = NewDisposeScope();
            Tensor? sum = null;
            for (var k = 0; k < _gradients.Length; k++)
            {
                if (_gradients[k]?[p] is not { } gradient)
                    continue;
                var part = gradient * tensor((float)(_isShared[p] ? weights[k] : factors[k]));
                sum = sum is null ? part : sum + part;
            }

            if (sum is not null)
                _parameters[p].grad = sum.DetachFromDisposeScope();
        }
    }

    public void Dispose()
    {
        foreach (var gradient in _gradients.Where(one => one is not null).SelectMany(one => one!))
            gradient?.Dispose();
    }

    // task.{name}.… belongs to one task, next_item's own layers to next_item; of a trunk the tasks' gates, and at its last level their experts:
    // below it the shared mixture reads those too. trunk.l0.expert.{task}.0.weight has six parts, a shared expert's name five.
    private static bool IsOfOneTask(string name, int lastLevel) =>
        name.StartsWith("task.", StringComparison.Ordinal)
        || name is ModelTensors.NextItemProjectionWeight or ModelTensors.NextItemProjectionBias or ModelTensors.NextItemBias or ModelTensors.NextItemEmbedding or ModelTensors.RepeatTerm or ModelTensors.MemoryGain or ModelTensors.MemoryDecay
        || (name.StartsWith("trunk.", StringComparison.Ordinal) && name.Contains(".gate.", StringComparison.Ordinal))
        || (name.StartsWith($"trunk.l{lastLevel}.expert.", StringComparison.Ordinal) && name.Count(c => c == '.') == 5);

    private double Product(Tensor?[]? a, Tensor?[]? b)
    {
        if (a is null || b is null)
            return double.NaN;
        using var scope = NewDisposeScope();
        var sum = 0.0;
        for (var p = 0; p < _parameters.Length; p++)
        {
            if (_isShared[p] && a[p] is { } x && b[p] is { } y)
                sum += (x * y).sum(ScalarType.Float64).item<double>();
        }

        return sum;
    }
}
