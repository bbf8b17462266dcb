using System.Globalization;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.MultiTask;

/// <summary>
/// One task over one data set: what kind of head it needs, and the label of every event.
/// The label of event t is what is to be predicted of t from the events before it.
/// </summary>
public sealed class TaskLabels
{
    /// <summary>Tasks of one model.</summary>
    public const int MaxTasks = 16;

    /// <summary>Classes of one task: a wider softmax belongs to next_item.</summary>
    public const int MaxClasses = 1024;

    /// <summary>Classes by value: more is a regression.</summary>
    public const int MaxValueClasses = 100;

    private TaskLabels(TaskDefinition definition, bool needsCandidate, string[] classNames, float[] label)
    {
        Definition = definition;
        NeedsCandidate = needsCandidate;
        ClassNames = classNames;
        Label = label;
    }

    public TaskDefinition Definition { get; }
    public string Name => Definition.Name;
    public TaskKind Kind => Definition.Kind;

    /// <summary>True: the label is about the sequence and an item. False: about the sequence alone (the next category).</summary>
    public bool NeedsCandidate { get; }

    /// <summary>multiclass: names of the classes, by class index. Empty otherwise.</summary>
    public string[] ClassNames { get; }

    /// <summary>regression: mean and standard deviation of the labels of the training split, to which the head is trained; else 0 and 1.</summary>
    public (double Offset, double Scale) Standard { get; private init; } = (0, 1);

    /// <summary>[N] binary: 0 or 1; multiclass: class index; regression: the number; NaN: unlabelled. Empty for next_item, whose target is <see cref="SequenceDataset.ItemIds"/>.</summary>
    public float[] Label { get; }

    /// <summary>[N] what training's loss holds the head to: <see cref="Label"/>, or what <see cref="Softened"/> made of it.</summary>
    public float[] TrainingLabel
    {
        get => field ?? Label;
        private init;
    }

    /// <summary>
    /// For training by distillation: where a teacher has said something, the label is <paramref name="share"/> of the teacher's probability and the
    /// rest of what happened. Cross-entropy is linear in its label, so this is the sum of both losses.
    /// </summary>
    /// <param name="teacher">[N] probabilities; NaN: nothing was said.</param>
    /// <param name="share">0…1.</param>
    public TaskLabels Softened(float[] teacher, double share) => new(Definition, NeedsCandidate, ClassNames, Label)
    {
        Standard = Standard,
        TrainingLabel = [.. Label.Zip(teacher, (label, probability) => float.IsNaN(probability) ? label : (float)(label + (share * (probability - label))))],
    };

    /// <summary>regression: what the head is trained to give.</summary>
    public float Standardize(float label) => (float)((label - Standard.Offset) / Standard.Scale);

    /// <summary>The labels of every task, in the tasks' order.</summary>
    /// <exception cref="TaskDefinitionException">A name is bad or repeated, a kind and a label do not fit, or the data lacks what a label needs.</exception>
    public static IReadOnlyList<TaskLabels> Build(SequenceDataset dataset, IReadOnlyList<TaskDefinition> tasks)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        ArgumentNullException.ThrowIfNull(tasks);
        if (tasks.Count is 0 or > MaxTasks)
            throw new TaskDefinitionException("", $"there are {tasks.Count} tasks; give 1 to {MaxTasks}.");

        var names = new HashSet<string>(StringComparer.Ordinal);
        var labels = new List<TaskLabels>(tasks.Count);
        foreach (var task in tasks)
        {
            CheckName(task, names);
            if (task.Kind == TaskKind.NextItem && labels.Any(l => l.Kind == TaskKind.NextItem))
                throw new TaskDefinitionException(task.Name, "there is already a next_item task; a model has one at most.");
            CheckGiven(task, labels);
            labels.Add(Build(dataset, task));
        }

        return labels;
    }

    private static void CheckName(TaskDefinition task, HashSet<string> names)
    {
        var name = task.Name;
        if (name.Length is 0 or > 64 || !char.IsAsciiLetterLower(name[0])
            || name.Any(c => !(char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_')))
        {
            throw new TaskDefinitionException(name, "a name is 1 to 64 of a-z, 0-9, '-' and '_', beginning with a letter.");
        }

        if (!names.Add(name))
            throw new TaskDefinitionException(name, "another task has this name; names must differ.");
        if (!(task.Weight > 0 && task.Weight <= 1000))
            throw new TaskDefinitionException(name, string.Create(CultureInfo.InvariantCulture, $"its weight is {task.Weight}; give one above 0, at most 1000."));
    }

    private static void CheckGiven(TaskDefinition task, List<TaskLabels> before)
    {
        if (task.Given is null)
            return;
        if (task.Kind != TaskKind.Binary)
            throw new TaskDefinitionException(task.Name, "only a binary task can need another's outcome first.");
        if (!before.Any(one => one.Name == task.Given && one.Kind == TaskKind.Binary))
            throw new TaskDefinitionException(task.Name, $"it needs the outcome of \"{Shorten(task.Given)}\" first, which is no binary task before it.");
    }

    private static TaskLabels Build(SequenceDataset dataset, TaskDefinition task) => (task.Kind, task.Label) switch
    {
        (TaskKind.NextItem, null) => new(task, true, [], []),
        (TaskKind.NextItem, _) => throw new TaskDefinitionException(task.Name, "a next_item task takes no label: its target is the next item."),
        (_, null) => throw new TaskDefinitionException(task.Name, "it has no label; only next_item does without."),
        (TaskKind.Binary, LabelSource.Behaviors source) => OfBehaviors(dataset, task, source),
        (TaskKind.Binary, LabelSource.ValueAtLeast source) => OfThreshold(dataset, task, source),
        (TaskKind.Binary, LabelSource.Column source) => OfColumn(dataset, task, source),
        (TaskKind.Regression, LabelSource.NextValue) => OfNumber(dataset, task, dataset.Values),
        (TaskKind.Regression, LabelSource.Column source) => OfNumber(dataset, task, ColumnOf(dataset, task, source)),
        (TaskKind.Multiclass, LabelSource.ValueClasses source) => OfValueClasses(dataset, task, source),
        (TaskKind.Multiclass, LabelSource.NextCategory) => OfCategory(dataset, task),
        (TaskKind.Multiclass, LabelSource.NextBehavior) => OfBehavior(dataset, task),
        _ => throw new TaskDefinitionException(task.Name, $"a {task.Kind.ToString().ToLowerInvariant()} task cannot take its label from {task.Label.GetType().Name}."),
    };

    private static TaskLabels OfBehaviors(SequenceDataset dataset, TaskDefinition task, LabelSource.Behaviors source)
    {
        if (source.Names.Count == 0)
            throw new TaskDefinitionException(task.Name, "it names no behaviour; give at least one.");
        var wanted = new bool[dataset.Behaviors.Count];
        foreach (var name in source.Names)
        {
            var id = dataset.Behaviors.IndexOf(name);
            if (id < 0)
                throw new TaskDefinitionException(task.Name, $"no event has the behaviour \"{Shorten(name)}\"; the data has {Some(dataset.Behaviors)}.");
            wanted[id] = true;
        }

        return new(task, true, [], Array.ConvertAll(dataset.BehaviorIds, id => wanted[id] ? 1f : 0f));
    }

    private static TaskLabels OfThreshold(SequenceDataset dataset, TaskDefinition task, LabelSource.ValueAtLeast source)
    {
        if (!double.IsFinite(source.Threshold))
            throw new TaskDefinitionException(task.Name, "its value threshold is not a finite number.");
        CheckValues(dataset, task);
        var threshold = (float)source.Threshold;
        return new(task, true, [], Array.ConvertAll(dataset.Values, v => float.IsNaN(v) ? float.NaN : v >= threshold ? 1f : 0f));
    }

    private static TaskLabels OfColumn(SequenceDataset dataset, TaskDefinition task, LabelSource.Column source) =>
        new(task, true, [], Array.ConvertAll(ColumnOf(dataset, task, source), v => float.IsNaN(v) ? float.NaN : v > 0 ? 1f : 0f));

    private static TaskLabels OfNumber(SequenceDataset dataset, TaskDefinition task, float[] numbers)
    {
        if (task.Label is LabelSource.NextValue)
            CheckValues(dataset, task);
        double count = 0, mean = 0, squares = 0;
        for (var t = 0; t < numbers.Length; t++)
        {
            if (float.IsInfinity(numbers[t]))
                throw new TaskDefinitionException(task.Name, $"event {t} has the label {numbers[t]}; a number to be predicted must be finite.");
            if (float.IsNaN(numbers[t]) || dataset.Roles[t] != SplitRole.Train)
                continue;
            // Welford's: the sum of squares of large numbers would lose their spread.
            var difference = numbers[t] - mean;
            mean += difference / ++count;
            squares += difference * (numbers[t] - mean);
        }

        var deviation = count > 0 ? Math.Sqrt(squares / count) : 0;
        // Labels that are all alike: nothing to scale by.
        return new(task, true, [], numbers) { Standard = (mean, deviation > 1e-6 * Math.Abs(mean) && deviation > 0 ? Math.Min(deviation, float.MaxValue) : 1) };
    }

    private static float[] ColumnOf(SequenceDataset dataset, TaskDefinition task, LabelSource.Column source)
    {
        if (!dataset.Labels.TryGetValue(source.Name, out var column))
        {
            throw new TaskDefinitionException(task.Name, dataset.Labels.Count == 0
                ? $"the data has no label columns, so none is called \"{Shorten(source.Name)}\"; name it among the import's label columns."
                : $"no label column is called \"{Shorten(source.Name)}\"; the data has {Some([.. dataset.Labels.Keys.Order(StringComparer.Ordinal)])}.");
        }

        return column;
    }

    private static TaskLabels OfValueClasses(SequenceDataset dataset, TaskDefinition task, LabelSource.ValueClasses source)
    {
        if (source.Values.Count is < 2 or > MaxValueClasses)
            throw new TaskDefinitionException(task.Name, $"it has {source.Values.Count} value classes; give 2 to {MaxValueClasses}.");
        var classes = source.Values.Select(v => (float)v).ToArray();
        for (var i = 0; i < classes.Length; i++)
        {
            if (!float.IsFinite(classes[i]) || (i > 0 && classes[i] <= classes[i - 1]))
                throw new TaskDefinitionException(task.Name, "its value classes must be finite, ascending and different.");
        }

        CheckValues(dataset, task);
        var label = Array.ConvertAll(dataset.Values, v =>
        {
            var index = Array.BinarySearch(classes, v);
            return index >= 0 ? index : float.NaN;
        });
        return new(task, true, [.. source.Values.Select(v => v.ToString(CultureInfo.InvariantCulture))], label);
    }

    private static TaskLabels OfCategory(SequenceDataset dataset, TaskDefinition task)
    {
        CheckClasses(task, "categories", dataset.Categories.Count);
        var categories = dataset.Items.Items.Select(item => item.Category < 0 ? float.NaN : item.Category).ToArray();
        return new(task, false, [.. dataset.Categories], Array.ConvertAll(dataset.ItemIds, id => categories[id]));
    }

    private static TaskLabels OfBehavior(SequenceDataset dataset, TaskDefinition task)
    {
        CheckClasses(task, "behaviours", dataset.Behaviors.Count);
        return new(task, true, [.. dataset.Behaviors], Array.ConvertAll(dataset.BehaviorIds, id => (float)id));
    }

    private static void CheckClasses(TaskDefinition task, string what, int count)
    {
        if (count is < 2 or > MaxClasses)
            throw new TaskDefinitionException(task.Name, $"the data has {count} {what}; classes are 2 to {MaxClasses}.");
    }

    private static void CheckValues(SequenceDataset dataset, TaskDefinition task)
    {
        if (!Array.Exists(dataset.Values, v => !float.IsNaN(v)))
            throw new TaskDefinitionException(task.Name, "it needs values, and no event of the data has one; map a column to \"value\".");
    }

    private static string Some(IReadOnlyList<string> names) =>
        string.Join(", ", names.Take(10).Select(n => $"\"{Shorten(n)}\"")) + (names.Count > 10 ? $" and {names.Count - 10} more" : "");

    private static string Shorten(string name) => name.Length <= 64 ? name : name[..64] + "…";
}

file static class ListSearch
{
    public static int IndexOf(this IReadOnlyList<string> names, string name)
    {
        for (var i = 0; i < names.Count; i++)
        {
            if (string.Equals(names[i], name, StringComparison.Ordinal))
                return i;
        }

        return -1;
    }
}
