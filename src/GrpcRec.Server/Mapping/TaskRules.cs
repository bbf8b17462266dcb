using Google.Protobuf.Collections;
using GrpcRec.V1;

namespace GrpcRec.Server.Mapping;

/// <summary>The bounds of a training request's tasks: names, weights, and which label goes with which kind.</summary>
static class TaskRules
{
    const int MaxTasks = 16;
    const int MaxNameLength = 64;
    const int MaxBehaviors = 256;
    const int MaxBehaviorLength = 256;
    const int MinClasses = 2;
    const int MaxClasses = 100;
    const double MaxWeight = 1_000;

    /// <param name="columns">Of the data: a label may name one of its label columns.</param>
    public static void Check(RepeatedField<TaskSpec> tasks, ColumnMapping? columns, Violations violations)
    {
        if (tasks.Count > MaxTasks)
            violations.Add("tasks", ViolationReason.TooMany, $"has {tasks.Count} tasks; at most {MaxTasks}.");
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < Math.Min(tasks.Count, MaxTasks); i++)
        {
            var (task, at) = (tasks[i], $"tasks[{i}]");
            CheckName(task.Name, $"{at}.name", names, violations);
            if (task.HasWeight && task.Weight is not (> 0 and <= MaxWeight))
                violations.Add($"{at}.weight", TrainRequestRules.RangeReason(task.Weight), $"is {TrainRequestRules.Number(task.Weight)}; above 0, at most 1,000.");
            CheckKind(task, at, columns, violations);
            CheckGiven(tasks, i, $"{at}.given", violations);
        }
    }

    static void CheckName(string name, string field, HashSet<string> names, Violations violations)
    {
        if (name.Length == 0)
            violations.Add(field, ViolationReason.Required, "is required.");
        else if (name.Length > MaxNameLength)
            violations.Add(field, ViolationReason.TooLong, $"has {name.Length} characters; at most {MaxNameLength}.");
        else if (!char.IsAsciiLetterLower(name[0]) || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_'))
            violations.Add(field, ViolationReason.InvalidFormat, $"is {Violations.Quote(name)}; use a-z, 0-9, '-' and '_', beginning with a letter.");
        else if (!names.Add(name))
            violations.Add(field, ViolationReason.Repeated, $"repeats {Violations.Quote(name)}; tasks need different names.");
    }

    static void CheckKind(TaskSpec task, string at, ColumnMapping? columns, Violations violations)
    {
        var label = task.Label;
        var source = label?.SourceCase ?? LabelSpec.SourceOneofCase.None;
        switch (task.Kind)
        {
            case TaskKind.NextItem:
                if (source != LabelSpec.SourceOneofCase.None)
                    violations.Add($"{at}.label", ViolationReason.NotAllowed, "must be absent: a next_item task predicts the next item itself.");
                return;
            case TaskKind.Binary:
                if (source is not (LabelSpec.SourceOneofCase.Behaviors or LabelSpec.SourceOneofCase.ValueAtLeast or LabelSpec.SourceOneofCase.Column))
                {
                    WrongLabel(source, "behaviors, value_at_least or column");
                    return;
                }
                break;
            case TaskKind.Multiclass:
                if (source is not (LabelSpec.SourceOneofCase.ValueClasses or LabelSpec.SourceOneofCase.NextCategory or LabelSpec.SourceOneofCase.NextBehavior))
                {
                    WrongLabel(source, "value_classes, next_category or next_behavior");
                    return;
                }
                break;
            case TaskKind.Regression:
                if (source is not (LabelSpec.SourceOneofCase.NextValue or LabelSpec.SourceOneofCase.Column))
                {
                    WrongLabel(source, "next_value or column");
                    return;
                }
                break;
            case TaskKind.Unspecified:
                violations.Add($"{at}.kind", ViolationReason.Required, "is required: TASK_KIND_BINARY, TASK_KIND_MULTICLASS, TASK_KIND_NEXT_ITEM or TASK_KIND_REGRESSION.");
                return;
            default:
                violations.Add($"{at}.kind", ViolationReason.UnknownName, $"is {(int)task.Kind}, which is no TaskKind.");
                return;
        }
        CheckLabel(label!, $"{at}.label", columns, violations);

        void WrongLabel(LabelSpec.SourceOneofCase given, string wanted) => violations.Add(
            $"{at}.label",
            given == LabelSpec.SourceOneofCase.None ? ViolationReason.Required : ViolationReason.NotAllowed,
            $"must be one of {wanted} for this kind of task.");
    }

    static void CheckGiven(RepeatedField<TaskSpec> tasks, int index, string field, Violations violations)
    {
        var (task, given) = (tasks[index], tasks[index].Given);
        if (given.Length == 0) return;
        if (task.Kind != TaskKind.Binary)
            violations.Add(field, ViolationReason.NotAllowed, "must be empty: only a binary task can need another's outcome first.");
        else if (!tasks.Take(index).Any(one => one.Kind == TaskKind.Binary && one.Name == given))
            violations.Add(field, ViolationReason.UnknownName, $"is {Violations.Quote(given)}, which is no binary task before this one.");
    }

    static void CheckLabel(LabelSpec label, string at, ColumnMapping? columns, Violations violations)
    {
        switch (label.SourceCase)
        {
            case LabelSpec.SourceOneofCase.Behaviors:
                CheckBehaviors(label.Behaviors.Names, $"{at}.behaviors.names", violations);
                break;
            case LabelSpec.SourceOneofCase.ValueAtLeast:
                if (!double.IsFinite(label.ValueAtLeast)) violations.Add($"{at}.value_at_least", ViolationReason.NotFinite, "must be finite.");
                break;
            case LabelSpec.SourceOneofCase.ValueClasses:
                CheckClasses(label.ValueClasses.Values, $"{at}.value_classes.values", violations);
                break;
            case LabelSpec.SourceOneofCase.NextCategory when !label.NextCategory:
                violations.Add($"{at}.next_category", ViolationReason.OutOfRange, "must be true where it is set.");
                break;
            case LabelSpec.SourceOneofCase.NextBehavior when !label.NextBehavior:
                violations.Add($"{at}.next_behavior", ViolationReason.OutOfRange, "must be true where it is set.");
                break;
            case LabelSpec.SourceOneofCase.NextValue when !label.NextValue:
                violations.Add($"{at}.next_value", ViolationReason.OutOfRange, "must be true where it is set.");
                break;
            case LabelSpec.SourceOneofCase.Column when columns is null || !columns.Labels.Contains(label.Column):
                violations.Add($"{at}.column", ViolationReason.UnknownName, $"is {Violations.Quote(label.Column)}, which data.columns.labels does not name.");
                break;
        }
    }

    static void CheckBehaviors(RepeatedField<string> names, string at, Violations violations)
    {
        if (names.Count == 0) violations.Add(at, ViolationReason.Required, "is empty; name at least one behaviour.");
        if (names.Count > MaxBehaviors) violations.Add(at, ViolationReason.TooMany, $"has {names.Count} names; at most {MaxBehaviors}.");
        for (var i = 0; i < Math.Min(names.Count, MaxBehaviors); i++)
        {
            if (names[i].Length == 0) violations.Add($"{at}[{i}]", ViolationReason.Required, "is empty.");
            else if (names[i].Length > MaxBehaviorLength) violations.Add($"{at}[{i}]", ViolationReason.TooLong, $"has {names[i].Length} characters; at most {MaxBehaviorLength}.");
            else if (names.IndexOf(names[i]) < i) violations.Add($"{at}[{i}]", ViolationReason.Repeated, $"repeats {Violations.Quote(names[i])}.");
        }
    }

    static void CheckClasses(RepeatedField<double> values, string at, Violations violations)
    {
        if (values.Count is < MinClasses or > MaxClasses)
            violations.Add(at, ViolationReason.OutOfRange, $"has {values.Count} values; {MinClasses} to {MaxClasses}.");
        for (var i = 0; i < Math.Min(values.Count, MaxClasses); i++)
        {
            if (!double.IsFinite(values[i])) violations.Add($"{at}[{i}]", ViolationReason.NotFinite, "must be finite.");
            else if (i > 0 && !(values[i] > values[i - 1])) violations.Add($"{at}[{i}]", ViolationReason.OutOfOrder, $"is {TrainRequestRules.Number(values[i])}, not above the value before it.");
        }
    }
}
