using System.Globalization;
using GrpcRec.Training.Events;

namespace GrpcRec.Training.Datasets;

/// <summary>What KuaiRand-Pure knows of its users and videos beside the log: bands of activity and of followers, encrypted traits, a video's tag.</summary>
internal static class KuaiRandFeatures
{
    /// <summary>Columns of the users' file: those with few values, as many as an event may carry beside its own contexts.</summary>
    public static readonly string[] OfUsers =
    [
        "user_active_degree", "is_video_author", "follow_user_num_range", "fans_user_num_range", "friend_user_num_range", "register_days_range",
        "onehot_feat0", "onehot_feat1", "onehot_feat2", "onehot_feat4", "onehot_feat7", "onehot_feat8", "onehot_feat10",
    ];

    /// <returns>By user, in the order of <see cref="OfUsers"/>; null where the file has none.</returns>
    public static Dictionary<int, string?[]> Users(string folder)
    {
        var layout = new FieldLayout(new EventColumns { UserId = "user_id", ItemId = "user_id", Contexts = OfUsers });
        return Rows(Path.Combine(folder, "user_features_pure.csv.gz"), layout).ToDictionary(
            fields => int.Parse(fields[FieldLayout.Key]!, CultureInfo.InvariantCulture), fields => fields[layout.FirstContext..]);
    }

    /// <returns>By video; absent where it has none.</returns>
    public static Dictionary<string, string> Tags(string folder) =>
        Rows(Path.Combine(folder, "video_features_basic_pure.csv.gz"), new FieldLayout(new EventColumns { UserId = "video_id", ItemId = "video_id", Category = "tag" }))
            .Where(fields => !string.IsNullOrEmpty(fields[FieldLayout.Category]))
            .ToDictionary(fields => fields[FieldLayout.Item]!, fields => fields[FieldLayout.Category]!, StringComparer.Ordinal);

    /// <returns>Each row in an array of its own.</returns>
    private static IEnumerable<string?[]> Rows(string path, FieldLayout layout)
    {
        var name = Path.GetFileName(path);
        if (!File.Exists(path))
            throw new BenchmarkDataException($"The benchmark's file \"{name}\" is not in the data folder.");
        using var source = new DelimitedRows(path, layout);
        while (true)
        {
            var fields = new string?[layout.Count];
            if (!source.Read(fields, out var fault))
                yield break;
            if (fault is not null)
                throw new BenchmarkDataException($"\"{name}\" has a row that cannot be read: {fault}.");
            yield return fields;
        }
    }
}
