using System.Globalization;

namespace GrpcRec.Training.Datasets;

/// <summary>Users' items in time order: the "user item" files of SASRec and BERT4Rec, and ML-1M's ratings. All split by leave-one-out.</summary>
internal static class MovieLensData
{
    private const string RatingsHeader = "user_id,movie_id,rating,timestamp,ts_quality,seq_pos,sas_user,sas_item";
    private const int CoreSize = 10, LeastRating = 3;

    private readonly record struct Rating(int User, string Item, float Stars, long TimestampMs, int Position);

    /// <summary>Lines "user item"; a user's lines stand together, oldest first. There are no times: an event's is its line.</summary>
    public static SequenceDataset InOrder(string path)
    {
        var builder = new SequenceDatasetBuilder([], 1 << 20) { HasTimes = false };
        var user = "";
        long row = 0;
        foreach (var line in BenchmarkData.Lines(path))
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            if (space <= 0)
                throw new BenchmarkDataException($"Line {row + 1} of \"{Path.GetFileName(path)}\" is not \"user item\".");
            if (!line.AsSpan(0, space).SequenceEqual(user))
                builder.BeginSequence(user = line[..space]);
            builder.Add(line[(space + 1)..], "event", ++row);
        }

        return Splits.LeaveOneOut(builder.Build());
    }

    /// <summary>B1b: ratings from 3 on, users and items with ten of them, movies by their GroupLens ids.</summary>
    public static SequenceDataset TenCore(string path)
    {
        var ratings = Ratings(path, userColumn: 0, itemColumn: 1).Where(r => r.Stars >= LeastRating).ToList();
        int before;
        do
        {
            before = ratings.Count;
            var users = ratings.CountBy(r => r.User).ToDictionary();
            var items = ratings.CountBy(r => r.Item).ToDictionary();
            ratings.RemoveAll(r => users[r.User] < CoreSize || items[r.Item] < CoreSize);
        }
        while (ratings.Count < before);
        return Build(ratings);
    }

    /// <summary>B3: the events of B1a, with the same ids, and their ratings as values.</summary>
    public static SequenceDataset Rated(string path) => Build(Ratings(path, userColumn: 6, itemColumn: 7));

    private static SequenceDataset Build(IEnumerable<Rating> ratings)
    {
        var builder = new SequenceDatasetBuilder([], 1 << 20);
        var user = -1;
        foreach (var rating in ratings.OrderBy(r => r.User).ThenBy(r => r.Position))
        {
            if (rating.User != user)
                builder.BeginSequence((user = rating.User).ToString(CultureInfo.InvariantCulture));
            builder.Add(rating.Item, "rating", rating.TimestampMs, rating.Stars);
        }

        return Splits.LeaveOneOut(builder.Build());
    }

    private static IEnumerable<Rating> Ratings(string path, int userColumn, int itemColumn)
    {
        var header = true;
        foreach (var line in BenchmarkData.Lines(path))
        {
            if (header)
            {
                header = false;
                if (line != RatingsHeader)
                    throw new BenchmarkDataException($"\"{Path.GetFileName(path)}\" has other columns than the benchmark's.");
                continue;
            }

            var cells = line.Split(',');
            yield return new Rating(
                int.Parse(cells[userColumn], CultureInfo.InvariantCulture),
                cells[itemColumn],
                float.Parse(cells[2], CultureInfo.InvariantCulture),
                long.Parse(cells[3], CultureInfo.InvariantCulture) * 1000,
                int.Parse(cells[5], CultureInfo.InvariantCulture));
        }
    }
}
