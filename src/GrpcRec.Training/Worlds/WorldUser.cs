namespace GrpcRec.Training.Worlds;

/// <summary>
/// A user's hidden state, and the true distributions that follow from it: what a perfect model would know.
/// Interest is a Markov chain over clusters (stay, go on to the complement, jump to a favourite) whose favourites drift.
/// </summary>
internal sealed class WorldUser
{
    private static readonly double[] FavouriteShares = [0.5, 0.3, 0.2];

    private readonly WorldRecipe _recipe;
    private readonly WorldCatalog _catalog;
    private readonly int[] _favourites;
    private readonly int _shade;
    private readonly int _route;
    private readonly double _activity;
    private int _item = -1;
    private bool _strong;

    public WorldUser(WorldRecipe recipe, WorldCatalog catalog, Random random)
    {
        _recipe = recipe;
        _catalog = catalog;
        _shade = random.Next(recipe.Shades);
        _route = random.Next(recipe.Routes);
        _activity = Gaussian(random);
        var clusters = Enumerable.Range(0, recipe.Clusters.Count).ToArray();
        random.Shuffle(clusters);
        _favourites = clusters[..FavouriteShares.Length];
    }

    /// <summary>P(next cluster).</summary>
    /// <param name="probabilities">[clusters] Overwritten.</param>
    /// <param name="jump">Of the whole, the chance that it is a jump.</param>
    public void Clusters(Span<double> probabilities, out double jump)
    {
        probabilities.Clear();
        jump = 1;
        if (_item >= 0)
        {
            var (stay, follow) = _strong ? (_recipe.StayAfterStrong, _recipe.FollowAfterStrong) : (_recipe.Stay, _recipe.Follow);
            var cluster = _catalog.ClusterOf(_item);
            probabilities[cluster] += stay;
            probabilities[WorldCatalog.Complement(cluster)] += follow;
            jump = 1 - stay - follow;
        }

        for (var f = 0; f < _favourites.Length; f++)
            probabilities[_favourites[f]] += jump * FavouriteShares[f];
    }

    /// <summary>P(next item), over all clusters.</summary>
    /// <param name="clusters">[clusters] P(next cluster).</param>
    /// <param name="probabilities">[items] Overwritten.</param>
    public void Items(ReadOnlySpan<double> clusters, Span<double> probabilities)
    {
        probabilities.Clear();
        for (var c = 0; c < clusters.Length; c++)
        {
            if (clusters[c] > 0)
                _catalog.AddItems(c, _shade, _route, _item, clusters[c], probabilities);
        }
    }

    /// <summary>P(behaviour | the next item).</summary>
    /// <param name="probabilities">[behaviours] Overwritten.</param>
    public void Behaviors(int item, Span<double> probabilities)
    {
        double sum = 0;
        var momentum = _strong && _item >= 0 && _catalog.ClusterOf(_item) == _catalog.ClusterOf(item) ? 1 : 0;
        for (var b = 0; b < _recipe.Behaviors.Count; b++)
        {
            var behavior = _recipe.Behaviors[b];
            probabilities[b] = Math.Exp(behavior.Base + (behavior.Affinity * Affinity(item)) + (behavior.Quality * _catalog.Qualities[item])
                + (behavior.Activity * _activity) + (behavior.Momentum * momentum));
            sum += probabilities[b];
        }

        for (var b = 0; b < _recipe.Behaviors.Count; b++)
            probabilities[b] /= sum;
    }

    /// <summary>P(completed | the next item).</summary>
    public double Completion(int item)
    {
        var completion = _recipe.Completion!;
        var logOdds = completion.Base + (completion.Affinity * Affinity(item)) + (completion.Quality * _catalog.Qualities[item]) + (completion.Activity * _activity);
        return 1 / (1 + Math.Exp(-logOdds));
    }

    /// <summary>The event happens; favourites may drift.</summary>
    public void Advance(int item, bool strong, Random random)
    {
        _item = item;
        _strong = strong;
        if (random.NextDouble() >= _recipe.Drift)
            return;
        int fresh;
        do
            fresh = random.Next(_recipe.Clusters.Count);
        while (Array.IndexOf(_favourites, fresh) >= 0);

        // The newest interest is the strongest, and pushes the oldest out.
        _favourites.AsSpan(0, _favourites.Length - 1).CopyTo(_favourites.AsSpan(1));
        _favourites[0] = fresh;
    }

    private double Affinity(int item)
    {
        var place = Array.IndexOf(_favourites, _catalog.ClusterOf(item));
        return place < 0 ? 0 : FavouriteShares[place] / FavouriteShares[0];
    }

    /// <summary>Box and Muller's transform.</summary>
    private static double Gaussian(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
