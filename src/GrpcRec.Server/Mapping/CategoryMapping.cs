using Google.Protobuf.Collections;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Registry;

namespace GrpcRec.Server.Mapping;

/// <summary>
/// Names of categories to dense ids. An unknown one is refused, unlike an unknown item: items come and go, but a category that is
/// misspelt would let nothing pass, or everything.
/// </summary>
public static class CategoryMapping
{
    /// <returns>Ascending and different.</returns>
    public static int[] Read(RepeatedField<string> names, string path, ModelHandle model, RequestLimits limits, Violations violations)
    {
        if (names.Count > limits.MaxCategories)
        {
            violations.Add(path, ViolationReason.TooMany, $"There are {names.Count} categories and at most {limits.MaxCategories} are taken.");
            return [];
        }

        var known = new SortedSet<int>();
        for (var i = 0; i < names.Count; i++)
        {
            if (!SequenceMapping.CheckId(names[i], path, i, "", limits, violations))
                continue;
            if (model.Categories.TryGetValue(names[i], out var category))
                known.Add(category);
            else
                violations.Add($"{path}[{i}]", ViolationReason.UnknownName, Unknown(names[i], model.Manifest.Categories));
        }

        return [.. known];
    }

    private static string Unknown(string name, IReadOnlyList<string> there) => there.Count == 0
        ? $"The model does not know {Violations.Quote(name)}: its items have no categories. Leave the field out, or give item ids."
        : $"The model does not know {Violations.Quote(name)}; it knows {Violations.Choices(there)}. Leave it out, or train on data that has it.";
}
