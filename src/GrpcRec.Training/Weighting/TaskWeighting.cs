namespace GrpcRec.Training.Weighting;

/// <summary>
/// Chooses at each step what each task's gradient counts for. Every method here, those that look at gradients too, ends in a combination
/// Σ w·g of the tasks' gradients, so that all of them are arithmetic on K losses and the K × K inner products of the gradients.
/// A task without a label in the batch has loss NaN: its weight is 0 and nothing is learnt about it.
/// </summary>
internal abstract class TaskWeighting
{
    /// <param name="factors">[K] what the plan says that each task counts for; multiplies the losses that a method sees.</param>
    protected TaskWeighting(IReadOnlyList<double> factors)
    {
        if (factors.Count == 0 || factors.Any(factor => !(factor >= 0) || !double.IsFinite(factor)))
            throw new ArgumentException("a finite factor of at least 0 is due for each task", nameof(factors));
        Factors = [.. factors];
    }

    /// <summary>K.</summary>
    public int Tasks => Factors.Length;

    /// <summary>The method reads inner products of the tasks' gradients, which cost one backward pass for each task.</summary>
    public virtual bool NeedsGradients => false;

    /// <summary>The method reads the batch's losses again after the step, which costs one forward pass.</summary>
    public virtual bool NeedsLossesAfterStep => false;

    /// <summary>What is learnt: goes into a checkpoint and comes back from it.</summary>
    public virtual double[] State
    {
        get => [];
        set
        {
            if (value.Length != 0)
                throw new ArgumentException("this weighting has no state", nameof(value));
        }
    }

    protected double[] Factors { get; }

    /// <param name="losses">[K] nats, before any weight; NaN: no label.</param>
    /// <param name="products">[K, K] inner products of the gradients of the losses by the shared parameters; null unless needed.</param>
    /// <param name="weights">[K] written.</param>
    public void Weigh(ReadOnlySpan<double> losses, double[,]? products, Span<double> weights)
    {
        if (NeedsGradients && products is null)
            throw new ArgumentNullException(nameof(products));
        weights.Clear();
        // Tasks that take part, and their losses and products as the plan weighs them.
        var present = new List<int>();
        for (var k = 0; k < Tasks; k++)
        {
            if (double.IsFinite(losses[k]) && Factors[k] > 0)
                present.Add(k);
        }

        if (present.Count == 0)
            return;
        var scaled = present.Select(Scale(losses)).ToArray();
        double[,]? gram = null;
        if (products is not null)
        {
            gram = new double[present.Count, present.Count];
            for (var i = 0; i < present.Count; i++)
            {
                for (var j = 0; j < present.Count; j++)
                    gram[i, j] = products[present[i], present[j]] * Factors[present[i]] * Factors[present[j]];
            }
        }

        var chosen = Choose([.. present], scaled, gram);
        for (var i = 0; i < present.Count; i++)
            weights[present[i]] = chosen[i] * Factors[present[i]];
    }

    /// <param name="losses">[K] of the same batch after the step; NaN: no label.</param>
    public virtual void AfterStep(ReadOnlySpan<double> losses)
    {
    }

    /// <param name="losses">[K] means over the epoch; NaN: none.</param>
    public virtual void AfterEpoch(ReadOnlySpan<double> losses)
    {
    }

    /// <param name="tasks">[n] tasks that take part, ascending.</param>
    /// <param name="losses">[n] theirs.</param>
    /// <param name="gram">[n, n] inner products; null unless needed.</param>
    /// <returns>[n] weights.</returns>
    protected abstract double[] Choose(int[] tasks, double[] losses, double[,]? gram);

    private Func<int, double> Scale(ReadOnlySpan<double> losses)
    {
        var copy = losses.ToArray();
        return k => copy[k] * Factors[k];
    }
}
