using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using GrpcRec.V1;

namespace GrpcRec.Server.Commands;

/// <summary>All that a demo found.</summary>
/// <param name="Oracle">The best metrics that anyone who knows the world could reach; empty with data of one's own.</param>
sealed record DemoResult(TimeSpan Elapsed, DemoUser User, Training Training, Model Model, RankResponse Rank, ScoreResponse Score, IReadOnlyDictionary<string, double> Oracle)
{
    /// <summary>Both calls answered for this user with this training's version.</summary>
    public bool Ok => Rank.Items.Count > 0 && Score.Candidates.Count > 0 && Score.Candidates.All(candidate => candidate.Known)
        && Rank.Model.Version == Training.Model.Version && Score.Model.Version == Training.Model.Version;

    /// <summary>For a terminal and for programs, never for a page of HTML: quotes stay as they are.</summary>
    public static JsonSerializerOptions Readable { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>{"ok","seconds","model","score","rank","metrics","truth","baselines"} on one line.</summary>
    public string ToJson() => new JsonObject
    {
        ["ok"] = Ok,
        ["seconds"] = Math.Round(Elapsed.TotalSeconds, 1),
        ["model"] = ToNode(Model),
        ["score"] = ToNode(Score),
        ["rank"] = ToNode(Rank),
        ["metrics"] = ToNode(Training.Metrics),
        ["truth"] = ToNode(Oracle),
        ["baselines"] = new JsonObject(MetricTable.ByBaseline(Training.BaselineMetrics).Select(baseline => KeyValuePair.Create(baseline.Key, (JsonNode?)ToNode(baseline.Value)))),
    }.ToJsonString(Readable);

    static JsonNode? ToNode(IMessage message) => JsonNode.Parse(JsonFormatter.Default.Format(message));

    /// <summary>JSON has no NaN: a metric that could not be measured is null.</summary>
    static JsonObject ToNode(IEnumerable<KeyValuePair<string, double>> metrics) => new(metrics
        .OrderBy(metric => metric.Key, StringComparer.Ordinal)
        .Select(metric => KeyValuePair.Create(metric.Key, double.IsFinite(metric.Value) ? JsonValue.Create(metric.Value) : (JsonNode?)null)));

    /// <summary>The oracle of a world's truth.json; empty when there is none.</summary>
    public static IReadOnlyDictionary<string, double> ReadOracle(string path)
    {
        if (!File.Exists(path)) return new Dictionary<string, double>();
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        return document.RootElement.GetProperty("oracle").EnumerateObject().ToDictionary(metric => metric.Name, metric => metric.Value.GetDouble());
    }
}
