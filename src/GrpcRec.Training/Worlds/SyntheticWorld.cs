using System.Globalization;

namespace GrpcRec.Training.Worlds;

/// <summary>Generates worlds whose truth is known, so that a trained model can be judged against the best there is, not only against baselines.</summary>
public static class SyntheticWorld
{
    /// <summary>2025-01-06 00:00 UTC, a Monday: a world's own beginning, so that its bytes do not depend on the day.</summary>
    private const long BeginMs = 1_736_121_600_000;

    public static IReadOnlyList<string> Names { get; } = [.. WorldRecipe.All.Select(recipe => recipe.Name)];

    /// <exception cref="ArgumentException">There is no world of that name, or the users are out of bounds.</exception>
    public static WorldData Generate(WorldOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var recipe = WorldRecipe.All.FirstOrDefault(r => r.Name == options.Name)
            ?? throw new ArgumentException($"There is no world \"{options.Name}\"; there are {string.Join(", ", Names)}.", nameof(options));
        var users = options.Users ?? recipe.Users;
        if (users is < 1 or > WorldOptions.MaxUsers)
            throw new ArgumentException($"A world of {users} users cannot be made; give 1 to {WorldOptions.MaxUsers}.", nameof(options));

        var random = new Random(options.Seed);
        var catalog = new WorldCatalog(recipe, random);
        var generation = new Generation(recipe, catalog, random, users);
        for (var user = 0; user < users; user++)
            generation.Live(user);
        return generation.Finish();
    }

    private sealed class Generation(WorldRecipe recipe, WorldCatalog catalog, Random random, int users)
    {
        private readonly WorldOracle _oracle = new(recipe);
        private readonly List<WorldRow> _rows = [];
        private readonly double[] _clusters = new double[recipe.Clusters.Count];
        private readonly double[] _items = new double[catalog.Count];
        private readonly double[] _behaviors = new double[recipe.Behaviors.Count];
        private readonly double[] _expected = new double[recipe.Behaviors.Count];
        private readonly double[] _variance = new double[recipe.Behaviors.Count];
        private readonly string _userFormat = "D" + Math.Max(4, users.ToString(CultureInfo.InvariantCulture).Length).ToString(CultureInfo.InvariantCulture);

        /// <summary>One user's events, each drawn from the user's true distributions; the last is the oracle's test.</summary>
        public void Live(int index)
        {
            var user = new WorldUser(recipe, catalog, random);
            var id = "u" + (index + 1).ToString(_userFormat, CultureInfo.InvariantCulture);
            var time = BeginMs + (long)(random.NextDouble() * 7 * 24 * 3600 * 1000);
            var events = random.Next(recipe.MinEvents, recipe.MaxEvents + 1);
            for (var e = 0; e < events; e++)
            {
                // 1. Where interest goes, and which item there. A jump begins a session: only the pause shows it.
                user.Clusters(_clusters, out var jump);
                user.Items(_clusters, _items);
                var item = Draw(_items);
                var cluster = catalog.ClusterOf(item);

                // 2. What is done with it.
                user.Behaviors(item, _behaviors);
                var behavior = Draw(_behaviors);
                for (var b = 0; b < _behaviors.Length; b++)
                {
                    _expected[b] += _behaviors[b];
                    _variance[b] += _behaviors[b] * (1 - _behaviors[b]);
                }

                var completion = recipe.Completion is null ? 0 : user.Completion(item);
                var completed = recipe.Completion is not null && random.NextDouble() < completion;
                if (e == events - 1)
                    _oracle.Add(index, _clusters, _items, _behaviors, completion, cluster, item, behavior, completed);

                // 3. When.
                var pause = random.NextDouble() < jump ? recipe.HoursBetweenSessions * 3600 : recipe.SecondsBetweenEvents;
                time += e == 0 ? 0 : 1000 + (long)(-Math.Log(1 - random.NextDouble()) * pause * 1000);
                _rows.Add(new WorldRow(id, catalog.Ids[item], recipe.Behaviors[behavior].Name, time, Value(completed), recipe.Clusters[cluster]));
                user.Advance(item, recipe.Behaviors[behavior].Strong, random);
            }
        }

        public WorldData Finish() => new()
        {
            Name = recipe.Name,
            Rows = [.. _rows.OrderBy(row => row.TimestampMs).ThenBy(row => row.UserId, StringComparer.Ordinal)],
            Tasks = recipe.Tasks,
            Truth = _oracle.Metrics(),
            BehaviorCounts = recipe.Behaviors.Select((b, i) => (b.Name, Counts: (_expected[i], _variance[i]))).ToDictionary(p => p.Name, p => p.Counts),
        };

        /// <summary>In thousandths, so that text keeps it exact and it never rounds over the threshold.</summary>
        private double? Value(bool completed)
        {
            if (recipe.Completion is null)
                return null;
            var threshold = (int)Math.Round(recipe.Completion.Threshold * 1000);
            return (completed ? random.Next(threshold, 1001) : random.Next(20, threshold)) / 1000.0;
        }

        private int Draw(ReadOnlySpan<double> probabilities)
        {
            var rest = random.NextDouble();
            var last = 0;
            for (var i = 0; i < probabilities.Length; i++)
            {
                if (probabilities[i] <= 0)
                    continue;
                last = i;
                rest -= probabilities[i];
                if (rest < 0)
                    return i;
            }

            return last; // the probabilities sum to a little less than 1 in floating point
        }
    }
}
