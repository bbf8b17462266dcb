using System.Text;
using GrpcRec.Serving.Admission;
using GrpcRec.V1;

namespace GrpcRec.Server.Mapping;

/// <summary>
/// Checks named values against the names that a model reads. An unknown name is refused, unlike an unknown value: values come and go, but a
/// name that is misspelt would silently never be read.
/// </summary>
public static class ContextMapping
{
    /// <param name="known">Names that the model reads here.</param>
    /// <param name="whose">"events" or "requests", for the message.</param>
    /// <returns>Null: nothing is given.</returns>
    public static IReadOnlyDictionary<string, string>? Read(Context? context, string path, IReadOnlyCollection<string> known, string whose, RequestLimits limits, Violations violations)
    {
        if (context is null || context.Values.Count == 0)
            return null;
        if (context.Values.Count > limits.MaxContextValues)
        {
            violations.Add($"{path}.values", ViolationReason.TooMany, $"There are {context.Values.Count} values and at most {limits.MaxContextValues} are taken.");
            return null;
        }

        foreach (var (name, value) in context.Values)
        {
            var field = $"{path}.values[{Violations.Quote(name)}]";
            if (name.Length == 0)
                violations.Add(field, ViolationReason.Required, $"Give a name of 1 to {limits.MaxContextNameBytes} bytes; it is empty.");
            else if (Encoding.UTF8.GetByteCount(name) is var bytes && bytes > limits.MaxContextNameBytes)
                violations.Add(field, ViolationReason.TooLong, $"The name has {bytes} bytes of UTF-8 and at most {limits.MaxContextNameBytes} are taken.");
            else if (!known.Contains(name))
                violations.Add(field, ViolationReason.UnknownName, Unknown(name, known, whose));
            if (Encoding.UTF8.GetByteCount(value) is var length && length > limits.MaxContextValueBytes)
                violations.Add(field, ViolationReason.TooLong, $"The value has {length} bytes of UTF-8 and at most {limits.MaxContextValueBytes} are taken.");
        }

        return context.Values;
    }

    private static string Unknown(string name, IReadOnlyCollection<string> known, string whose) => known.Count == 0
        ? $"The model reads no context of {whose}: leave {Violations.Quote(name)} out."
        : $"The model does not know {Violations.Quote(name)} of {whose}; it knows {Violations.Choices(known)}. Leave it out, or train with it.";
}
