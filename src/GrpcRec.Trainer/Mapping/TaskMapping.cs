using GrpcRec.Training.MultiTask;
using GrpcRec.V1;
using TaskKind = GrpcRec.Engine.Models.TaskKind;

namespace GrpcRec.Trainer.Mapping;

/// <summary>Tasks between the wire and training, both ways: a synthetic world writes the request that trains on it.</summary>
static class TaskMapping
{
    /// <summary>What is trained when the request names no task.</summary>
    private static readonly TaskDefinition Default = new() { Name = "next", Kind = TaskKind.NextItem };

    public static IReadOnlyList<TaskDefinition> FromWire(IReadOnlyList<TaskSpec> specs) =>
        specs.Count == 0 ? [Default] : [.. specs.Select(FromWire)];

    public static TaskSpec ToWire(TaskDefinition task)
    {
        var spec = new TaskSpec { Name = task.Name, Kind = ToWire(task.Kind), Label = ToWire(task.Label), Given = task.Given ?? "" };
        if (task.Weight != 1)
            spec.Weight = task.Weight;
        return spec;
    }

    private static TaskDefinition FromWire(TaskSpec spec) => new()
    {
        Name = spec.Name,
        Kind = spec.Kind switch
        {
            V1.TaskKind.Binary => TaskKind.Binary,
            V1.TaskKind.Multiclass => TaskKind.Multiclass,
            V1.TaskKind.NextItem => TaskKind.NextItem,
            V1.TaskKind.Regression => TaskKind.Regression,
            _ => throw new TaskDefinitionException(spec.Name, $"the kind {spec.Kind} cannot be trained; use binary, multiclass, next_item or regression"),
        },
        Weight = spec.HasWeight ? spec.Weight : 1,
        Label = FromWire(spec.Label),
        Given = spec.Given.Length > 0 ? spec.Given : null,
    };

    private static LabelSource? FromWire(LabelSpec? label) => label?.SourceCase switch
    {
        LabelSpec.SourceOneofCase.Behaviors => new LabelSource.Behaviors([.. label.Behaviors.Names]),
        LabelSpec.SourceOneofCase.ValueAtLeast => new LabelSource.ValueAtLeast(label.ValueAtLeast),
        LabelSpec.SourceOneofCase.ValueClasses => new LabelSource.ValueClasses([.. label.ValueClasses.Values]),
        LabelSpec.SourceOneofCase.NextCategory => new LabelSource.NextCategory(),
        LabelSpec.SourceOneofCase.NextBehavior => new LabelSource.NextBehavior(),
        LabelSpec.SourceOneofCase.NextValue => new LabelSource.NextValue(),
        LabelSpec.SourceOneofCase.Column => new LabelSource.Column(label.Column),
        _ => null,
    };

    private static V1.TaskKind ToWire(TaskKind kind) => kind switch
    {
        TaskKind.Binary => V1.TaskKind.Binary,
        TaskKind.Multiclass => V1.TaskKind.Multiclass,
        TaskKind.Regression => V1.TaskKind.Regression,
        _ => V1.TaskKind.NextItem,
    };

    private static LabelSpec? ToWire(LabelSource? label) => label switch
    {
        LabelSource.Behaviors behaviors => new LabelSpec { Behaviors = new BehaviorSet { Names = { behaviors.Names } } },
        LabelSource.ValueAtLeast value => new LabelSpec { ValueAtLeast = value.Threshold },
        LabelSource.ValueClasses classes => new LabelSpec { ValueClasses = new ValueClasses { Values = { classes.Values } } },
        LabelSource.NextCategory => new LabelSpec { NextCategory = true },
        LabelSource.NextBehavior => new LabelSpec { NextBehavior = true },
        LabelSource.NextValue => new LabelSpec { NextValue = true },
        LabelSource.Column column => new LabelSpec { Column = column.Name },
        _ => null,
    };
}
