using Google.Protobuf.WellKnownTypes;
using GrpcRec.Engine.Models;
using GrpcRec.Serving.Registry;
using GrpcRec.V1;
using TaskKind = GrpcRec.Engine.Models.TaskKind;
using VersionState = GrpcRec.Serving.Registry.VersionState;

namespace GrpcRec.Server.Mapping;

/// <summary>From the registry's versions to the wire, and the names that a caller gives.</summary>
public static class ModelMapping
{
    /// <summary>Values told of one feature, so that a list of many models stays within a message.</summary>
    private const int MaxFeatureValues = 100;

    public static Model ToWire(VersionInfo version)
    {
        var model = new Model
        {
            Model_ = new ModelVersion { Name = version.Name, Version = version.Version },
            State = version.State switch
            {
                VersionState.Stored => V1.VersionState.Stored,
                VersionState.Loaded => V1.VersionState.Loaded,
                VersionState.Active => V1.VersionState.Active,
                VersionState.Failed => V1.VersionState.Failed,
                _ => V1.VersionState.Unspecified,
            },
            Error = version.Error ?? "",
        };
        if (version.Manifest is { } manifest)
            Describe(model, manifest);
        return model;
    }

    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT: one is missing or not a name.</exception>
    public static (string Name, string Version) ReadVersion(ModelVersion? model)
    {
        var violations = new Violations();
        Check(model?.Name, "model.name", ModelNames.IsModel(model?.Name), ModelNames.ModelRule, violations);
        Check(model?.Version, "model.version", ModelNames.IsVersion(model?.Version), ModelNames.VersionRule, violations);
        violations.ThrowIfAny();
        return (model!.Name, model.Version);
    }

    /// <summary>Checks a choice whose empty parts mean the default.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT: a part that is given is not a name.</exception>
    public static (string? Name, string? Version) ReadSelector(string? name, string? version, string namePath = "model.name")
    {
        // The common case costs nothing: no selector, the default model.
        if (string.IsNullOrEmpty(name) && string.IsNullOrEmpty(version))
            return (null, null);
        var violations = new Violations();
        if (!string.IsNullOrEmpty(name))
            Check(name, namePath, ModelNames.IsModel(name), ModelNames.ModelRule, violations);
        if (!string.IsNullOrEmpty(version))
            Check(version, "model.version", ModelNames.IsVersion(version), ModelNames.VersionRule, violations);
        violations.ThrowIfAny();
        return (name, version);
    }

    private static void Check(string? text, string path, bool valid, string rule, Violations violations)
    {
        if (string.IsNullOrEmpty(text))
            violations.Add(path, ViolationReason.Required, $"Required: {rule}.");
        else if (!valid)
            violations.Add(path, ViolationReason.InvalidFormat, $"{Violations.Quote(text)} is not a name: {rule}.");
    }

    private static void Describe(Model model, ModelManifest manifest)
    {
        model.CreatedAt = Timestamp.FromDateTimeOffset(manifest.CreatedAt);
        model.Encoder = manifest.Encoder.Kind switch
        {
            EncoderKind.Lstm => "lstm",
            EncoderKind.Gru => "gru",
            EncoderKind.Rnn => "rnn",
            EncoderKind.Bag => "bag",
            EncoderKind.Cnn => "cnn",
            EncoderKind.MinGru => "mingru",
            EncoderKind.Counts => "counts",
            _ => "",
        };
        model.Precision = manifest.Precision?.Precision switch
        {
            null or Precision.Float32 => "float32",
            Precision.Bf16 => "bf16",
            Precision.Int8 => "int8",
            _ => "",
        };
        model.CatalogSize = manifest.CatalogSize;
        model.Behaviors.AddRange(manifest.Behaviors);
        model.Tasks.AddRange(manifest.Tasks.Select(ToWire));
        model.EventFeatures.AddRange(manifest.EventFeatures.Select(ToWire));
        model.RequestFeatures.AddRange(manifest.RequestFeatures.Select(ToWire));
        model.MaxSequenceLength = manifest.MaxSequenceLength;
        model.ParameterCount = manifest.ParameterCount;
        foreach (var (name, value) in manifest.Metrics)
            model.Metrics[name] = value;
    }

    private static Feature ToWire(EventFeatureManifest feature) => new()
    {
        Name = feature.Name,
        Source = feature.Source switch
        {
            Engine.Models.FeatureSource.Context => V1.FeatureSource.Context,
            Engine.Models.FeatureSource.TimeGap => V1.FeatureSource.TimeGap,
            Engine.Models.FeatureSource.Value => V1.FeatureSource.Value,
            Engine.Models.FeatureSource.ItemCategory => V1.FeatureSource.ItemCategory,
            _ => V1.FeatureSource.Unspecified,
        },
        Values = { feature.Values.Take(MaxFeatureValues) },
        ValueCount = feature.Values.Count,
        Boundaries = { feature.Boundaries },
    };

    private static Feature ToWire(RequestFeatureManifest feature) => new()
    {
        Name = feature.Name,
        Source = V1.FeatureSource.Context,
        Values = { feature.Values.Take(MaxFeatureValues) },
        ValueCount = feature.Values.Count,
    };

    private static V1.Task ToWire(TaskManifest task) => new()
    {
        Name = task.Name,
        Kind = task.Kind switch
        {
            TaskKind.Binary => V1.TaskKind.Binary,
            TaskKind.Multiclass => V1.TaskKind.Multiclass,
            TaskKind.NextItem => V1.TaskKind.NextItem,
            TaskKind.Regression => V1.TaskKind.Regression,
            _ => V1.TaskKind.Unspecified,
        },
        ClassNames = { task.ClassNames },
        NeedsCandidate = task.NeedsCandidate,
        Given = task.Given ?? "",
    };
}
