using System.Globalization;
using GrpcRec.V1;

namespace GrpcRec.Protocol;

/// <summary>Tasks as they are written on a command line: NAME=WHAT.</summary>
public static class TaskFlags
{
    public const string Syntax =
        "next=next_item, buy=behaviors:purchase,cart, liked=value>=4, rating=classes:1,2,3,4,5, topic=next_category, action=next_behavior, clicked=column:is_click, "
        + "price=next_value, seconds=number:watch_time, buy@clicked=column:is_buy (needs the other's outcome first)";

    /// <exception cref="FormatException">It is not of the syntax.</exception>
    public static TaskSpec Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var equals = text.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0) throw Fault(text);
        var (name, what) = (text[..equals], text[(equals + 1)..]);
        var given = "";
        if (name.IndexOf('@', StringComparison.Ordinal) is >= 0 and var at) (name, given) = (name[..at], name[(at + 1)..]);
        var (kind, label) = what switch
        {
            "next_item" => (TaskKind.NextItem, (LabelSpec?)null),
            "next_category" => (TaskKind.Multiclass, new LabelSpec { NextCategory = true }),
            "next_behavior" => (TaskKind.Multiclass, new LabelSpec { NextBehavior = true }),
            "next_value" => (TaskKind.Regression, new LabelSpec { NextValue = true }),
            _ when After(what, "number:") is { } column => (TaskKind.Regression, new() { Column = column }),
            _ when After(what, "behaviors:") is { } names => (TaskKind.Binary, new() { Behaviors = new() { Names = { names.Split(',') } } }),
            _ when After(what, "column:") is { } column => (TaskKind.Binary, new() { Column = column }),
            _ when After(what, "value>=") is { } threshold => (TaskKind.Binary, new() { ValueAtLeast = Number(threshold, text) }),
            _ when After(what, "classes:") is { } values => (TaskKind.Multiclass, new() { ValueClasses = new() { Values = { values.Split(',').Select(value => Number(value, text)) } } }),
            _ => throw Fault(text),
        };
        return new() { Name = name, Kind = kind, Label = label, Given = given };
    }

    static string? After(string text, string prefix) => text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : null;

    static double Number(string text, string task) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : throw Fault(task);

    static FormatException Fault(string text) => new($"--tasks: \"{text}\" is no task. Examples: {Syntax}.");
}
