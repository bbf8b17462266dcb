using GrpcRec.Engine.Models;
using GrpcRec.Training.Kernels;
using GrpcRec.Training.Learning;

namespace GrpcRec.Training.Losses;

/// <summary>Terms of repeated items as a softmax adds them to its logits.</summary>
/// <param name="Terms">[D]</param>
/// <param name="Past">What was read before each row.</param>
internal sealed record RepeatTermsOfRows(float[] Terms, LabelledRows Past);

/// <summary>One thread's rows of logits, each turned into P, its softmax less one at the target, with what P sums to over them.</summary>
internal sealed unsafe class SoftmaxRows : IDisposable
{
    /// <summary>A padding item's logit: its probability is 0.</summary>
    public const float NeverLikely = -1e30f;

    private readonly RepeatTermsOfRows? _repeats;
    private readonly RepeatedItems? _repeated;
    private readonly NativeFloats _biasGradient;
    private readonly int _items, _paddedItems;

    public SoftmaxRows(int items, RepeatTermsOfRows? repeats)
    {
        (_items, _paddedItems, _repeats) = (items, BlockProduct.Padded(items), repeats);
        _repeated = repeats is null ? null : new(items);
        _biasGradient = new(_paddedItems);
        RepeatGradient = new double[repeats?.Terms.Length ?? 0];
    }

    /// <summary>Σ over rows of -log p(target).</summary>
    public double Loss { get; private set; }

    /// <summary>[D] ΣP over the items that a term was added to.</summary>
    public double[] RepeatGradient { get; }

    /// <param name="x">[padded items] a row's logits but for the terms; those of padding <see cref="NeverLikely"/>. P on return.</param>
    /// <param name="row">Its place among the labelled rows.</param>
    public void Turn(float* x, int target, int row)
    {
        if (_repeated is not null)
        {
            _repeated.Fill(_repeats!.Past.Read(row));
            foreach (var item in _repeated.Items)
                x[item] += _repeats.Terms[_repeated.TermOf(item)];
        }

        // The loss comes from the logit, not from the probability, which may be 0.
        var logit = x[target];
        var (max, sum) = SoftmaxKernel.Exponentials(x, _paddedItems);
        Loss += Math.Log(sum) + max - logit;
        SoftmaxKernel.ScaleAndAdd(x, 1 / sum, _biasGradient.Pointer, _paddedItems);
        x[target] -= 1;
        _biasGradient.Pointer[target] -= 1;
        foreach (var item in _repeated?.Items ?? [])
            RepeatGradient[_repeated!.TermOf(item)] += x[item];
    }

    /// <summary>[D] the gradient of the repeat terms, of a mean over all rows.</summary>
    public static float[] MeanRepeatGradient(IReadOnlyList<SoftmaxRows> threads, int rows) =>
        [.. Enumerable.Range(0, threads[0].RepeatGradient.Length).Select(term => (float)(threads.Sum(one => one.RepeatGradient[term]) / rows))];

    /// <param name="gradient">[items] += ΣP.</param>
    public void AddBiasGradient(float* gradient)
    {
        var sum = new Span<float>(gradient, _items);
        System.Numerics.Tensors.TensorPrimitives.Add(sum, new ReadOnlySpan<float>(_biasGradient.Pointer, _items), sum);
    }

    public void Dispose() => _biasGradient.Dispose();
}
