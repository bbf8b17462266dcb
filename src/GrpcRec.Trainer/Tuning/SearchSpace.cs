using System.Text.Json.Nodes;
using GrpcRec.Training.Learning;

namespace GrpcRec.Trainer.Tuning;

/// <summary>
/// What a search may choose of: by setting, a list of values, or a range <c>{"low": 1e-4, "high": 1e-2, "log": true}</c>, in whole numbers with
/// <c>"integer": true</c>. A draw hangs on the seed and its number alone.
/// </summary>
sealed class SearchSpace
{
    public const int MaxSettings = 32;

    private readonly SortedDictionary<string, Func<Random, JsonNode?>> _draws = new(StringComparer.Ordinal);

    /// <exception cref="TrainingException">Not such an object.</exception>
    public SearchSpace(JsonObject space)
    {
        Text = space.ToJsonString();
        if (space.Count is 0 or > MaxSettings)
            throw new TrainingException($"A search space has 1 to {MaxSettings} settings, and this one has {space.Count}.");
        foreach (var (name, choice) in space)
        {
            _draws[name] = choice switch
            {
                JsonArray { Count: > 0 } values => random => values[random.Next(values.Count)]?.DeepClone(),
                JsonObject range => Range(name, range),
                _ => throw Bad(name, "is neither a list of values nor a range {\"low\": …, \"high\": …}"),
            };
        }
    }

    /// <summary>To tell two spaces apart.</summary>
    public string Text { get; }

    /// <param name="trial">From 0.</param>
    public JsonObject Draw(long seed, int trial)
    {
        var random = new Random(unchecked((int)((seed * 1_000_003) + trial)));
        return new JsonObject(_draws.Select(draw => KeyValuePair.Create(draw.Key, draw.Value(random))));
    }

    private static Func<Random, JsonNode?> Range(string name, JsonObject range)
    {
        double low = Number("low"), high = Number("high");
        bool log = Flag("log"), integer = Flag("integer");
        if (range.FirstOrDefault(entry => entry.Key is not ("low" or "high" or "log" or "integer")).Key is { } unknown)
            throw Bad(name, $"has \"{unknown}\"; a range has low, high, log and integer");
        if (!(low < high) || (log && low <= 0))
            throw Bad(name, log ? "needs 0 < low < high" : "needs low < high");
        return random =>
        {
            var share = random.NextDouble();
            var value = log ? low * Math.Pow(high / low, share) : low + (share * (high - low));
            // Three digits say all that a search knows.
            return integer ? JsonValue.Create((long)Math.Round(value)) : JsonValue.Create(double.Parse(value.ToString("G3", System.Globalization.CultureInfo.InvariantCulture), System.Globalization.CultureInfo.InvariantCulture));
        };

        double Number(string key) => range[key] is JsonValue value && value.TryGetValue(out double number) && double.IsFinite(number) ? number : throw Bad(name, $"has no number \"{key}\"");

        bool Flag(string key) => range[key] switch
        {
            null => false,
            JsonValue value when value.TryGetValue(out bool flag) => flag,
            _ => throw Bad(name, $"has a \"{key}\" that is neither true nor false"),
        };
    }

    private static TrainingException Bad(string name, string why) => new($"The search space's {name} {why}.") { Field = name };
}
