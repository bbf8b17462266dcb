using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using GrpcRec.V1;

namespace GrpcRec.Protocol;

/// <summary>
/// Settings of a training as a flat JSON object, for searches and the files that they write: the fields of <see cref="Architecture"/> and
/// <see cref="Hyperparameters"/> by their names in the contract (<c>{"hidden_size": 64, "weighting": "pcgrad"}</c>), and <c>weight.TASK</c>.
/// </summary>
public sealed class RequestSettings
{
    const string WeightPrefix = "weight.";

    static readonly MessageDescriptor[] Messages = [Architecture.Descriptor, Hyperparameters.Descriptor];

    /// <summary>What was set; the rest is absent.</summary>
    public Architecture Architecture { get; } = new();

    /// <inheritdoc cref="Architecture"/>
    public Hyperparameters Hyperparameters { get; } = new();

    /// <summary>By task.</summary>
    public Dictionary<string, double> Weights { get; } = new(StringComparer.Ordinal);

    /// <exception cref="FormatException">A name that the contract does not have, or a value that its field cannot have.</exception>
    public static RequestSettings Parse(JsonObject settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        var parsed = new RequestSettings();
        foreach (var (name, value) in settings)
        {
            if (name.StartsWith(WeightPrefix, StringComparison.Ordinal))
                parsed.Weights[name[WeightPrefix.Length..]] = value is JsonValue number && number.TryGetValue(out double weight) ? weight : throw CannotBe(name, value);
            else if (Messages[0].FindFieldByName(name) is { } network)
                parsed.Architecture.MergeFrom(Read<Architecture>(network, value));
            else if (Messages[1].FindFieldByName(name) is { } learning)
                parsed.Hyperparameters.MergeFrom(Read<Hyperparameters>(learning, value));
            else
                throw new FormatException($"{name} is no setting; there are {string.Join(", ", Messages.SelectMany(message => message.Fields.InDeclarationOrder()).Select(field => field.Name).Order(StringComparer.Ordinal))} and {WeightPrefix}TASK.");
        }

        return parsed;
    }

    /// <exception cref="FormatException">It is no JSON object.</exception>
    public static JsonObject ReadFile(string file)
    {
        try
        {
            return JsonNode.Parse(File.ReadAllText(file)) as JsonObject ?? throw new JsonException("it is no object");
        }
        catch (JsonException fault)
        {
            throw new FormatException($"{file} is not a JSON object of settings: {fault.Message}", fault);
        }
    }

    /// <summary>Puts them over those of a request.</summary>
    /// <exception cref="FormatException">A weight of a task that the request does not have.</exception>
    public void ApplyTo(TrainRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        (request.Architecture ??= new()).MergeFrom(Architecture);
        (request.Hyperparameters ??= new()).MergeFrom(Hyperparameters);
        foreach (var (task, weight) in Weights)
            (request.Tasks.FirstOrDefault(one => one.Name == task) ?? throw NoTask(task, request.Tasks.Select(one => one.Name))).Weight = weight;
    }

    /// <summary>For whoever applies <see cref="Weights"/> to tasks of another form.</summary>
    public static FormatException NoTask(string name, IEnumerable<string> tasks) =>
        new($"{WeightPrefix}{name} names no task; there are {string.Join(", ", tasks)}.");

    static T Read<T>(FieldDescriptor field, JsonNode? value)
        where T : IMessage<T>, new()
    {
        try
        {
            var spelled = field.FieldType == FieldType.Enum ? Spelled(field.EnumType, value) : value;
            if (spelled is not null)
                return JsonParser.Default.Parse<T>(new JsonObject { [field.Name] = spelled.DeepClone() }.ToJsonString());
        }
        catch (Exception fault) when (fault is InvalidProtocolBufferException or InvalidJsonException or InvalidOperationException)
        {
            throw CannotBe(field.Name, value, fault);
        }

        throw CannotBe(field.Name, value);
    }

    /// <summary>"pcgrad" is WEIGHTING_PCGRAD.</summary>
    static JsonNode? Spelled(EnumDescriptor type, JsonNode? value)
    {
        if (value is not JsonValue text || !text.TryGetValue(out string? name))
            return value;
        var known = type.Values.FirstOrDefault(one => one.Number != 0 && one.Name.EndsWith("_" + name, StringComparison.OrdinalIgnoreCase));
        return known is null ? value : JsonValue.Create(known.Name);
    }

    static FormatException CannotBe(string name, JsonNode? value, Exception? fault = null) => new($"{name} cannot be {value?.ToJsonString() ?? "null"}.", fault);
}
