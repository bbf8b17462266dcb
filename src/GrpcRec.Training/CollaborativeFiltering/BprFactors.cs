using System.Numerics.Tensors;
using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>
/// Matrix factorisation by Bayesian personalised ranking (Rendle et al., 2009): for a user u, an item i that they had and one j that they had
/// not, drawn evenly, a step of gradient ascent on ln σ(x_ui − x_uj) − λ‖θ‖², x_ui = w_u·h_i + b_i. Sequences are users. One thread, one
/// seed: it repeats exactly.
/// </summary>
internal sealed class BprFactors
{
    /// <summary>F, of a user and of an item.</summary>
    public const int Width = 32;

    /// <summary>Users and items together: past it, 2 GB, nothing is learnt.</summary>
    public const int MaxRows = 16_000_000;

    private const int MostEpochs = 40, MaxSteps = 20_000_000;

    // Chosen on the validation splits of b1a, b1c and b4 together: at a quarter of this rate short sessions learn no more than popularity.
    private const float FirstRate = 0.2f, LastRate = 0.02f, Regularisation = 0.005f, InitialDeviation = 0.1f;
    private readonly float[] _users, _items;

    private BprFactors(SequenceDataset dataset)
    {
        _users = new float[dataset.SequenceCount * Width];
        _items = new float[dataset.Items.Count * Width];
        Biases = new float[dataset.Items.Count];
        IsKnown = new bool[dataset.SequenceCount];
    }

    /// <summary>[V]</summary>
    public float[] Biases { get; }

    /// <summary>[S] the sequence has training events, and so factors of its own.</summary>
    public bool[] IsKnown { get; }

    /// <summary>[F]</summary>
    public Span<float> User(int sequence) => _users.AsSpan(sequence * Width, Width);

    /// <summary>[F]</summary>
    public Span<float> Item(int item) => _items.AsSpan(item * Width, Width);

    /// <param name="progress">Told how many steps of how many were made.</param>
    /// <returns>null past <see cref="MaxRows"/>.</returns>
    public static BprFactors? Learn(SequenceDataset dataset, int seed = 1, Action<long, long>? progress = null, CancellationToken cancellation = default)
    {
        if ((long)dataset.SequenceCount + dataset.Items.Count > MaxRows)
            return null;

        // 1. Each user's items, ascending, to tell what they had not; and all (user, item) pairs, to draw from.
        var factors = new BprFactors(dataset);
        var random = new Random(seed);
        var had = new int[dataset.SequenceCount][];
        List<int> users = [], items = [];
        for (var s = 0; s < had.Length; s++)
        {
            var prefix = TrainingPrefix.Of(dataset, s);
            had[s] = [.. prefix.ToArray().Distinct().Order()];
            // Who had everything has nothing to be ranked before.
            if (factors.IsKnown[s] = had[s].Length > 0 && had[s].Length < dataset.Items.Count)
            {
                users.AddRange(Enumerable.Repeat(s, had[s].Length));
                items.AddRange(had[s]);
            }
        }

        foreach (var table in (float[][])[factors._users, factors._items])
        {
            foreach (ref var value in table.AsSpan())
                value = InitialDeviation * 2 * (float)(random.NextDouble() + random.NextDouble() + random.NextDouble() - 1.5); // three of them deviate by 1/2
        }

        // 2. Steps, with a rate that falls evenly.
        var steps = users.Count == 0 ? 0 : (int)Math.Min(MaxSteps, (long)MostEpochs * users.Count);
        for (var step = 0; step < steps; step++)
        {
            if ((step & 0xFFFF) == 0)
            {
                cancellation.ThrowIfCancellationRequested();
                progress?.Invoke(step, steps);
            }

            var pair = random.Next(users.Count);
            int user = users[pair], absent;
            do
                absent = random.Next(dataset.Items.Count);
            while (Array.BinarySearch(had[user], absent) >= 0);
            factors.Step(user, items[pair], absent, FirstRate + ((LastRate - FirstRate) * ((float)step / steps)));
        }

        return factors;
    }

    private void Step(int user, int had, int hadNot, float rate)
    {
        Span<float> w = User(user), i = Item(had), j = Item(hadNot), change = stackalloc float[Width];
        TensorPrimitives.Subtract(i, j, change);
        var difference = TensorPrimitives.Dot<float>(w, change) + Biases[had] - Biases[hadNot];
        var slope = rate / (1 + MathF.Exp(difference));
        var kept = 1 - (rate * Regularisation);

        // change = slope·(i − j), before i and j move.
        TensorPrimitives.Multiply(change, slope, change);
        TensorPrimitives.Multiply(i, kept, i);
        TensorPrimitives.MultiplyAdd(w, slope, i, i);
        TensorPrimitives.Multiply(j, kept, j);
        TensorPrimitives.MultiplyAdd(w, -slope, j, j);
        TensorPrimitives.Multiply(w, kept, w);
        TensorPrimitives.Add(w, change, w);
        Biases[had] = (kept * Biases[had]) + slope;
        Biases[hadNot] = (kept * Biases[hadNot]) - slope;
    }
}
