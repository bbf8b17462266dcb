using System.Globalization;

namespace GrpcRec.Training.Datasets;

/// <summary>
/// KuaiRand-Pure's exposures. A user's sequence is first the last 50 exposures before the log (known with long watches and likes alone),
/// as input and never as targets, then the log's rows in time order. A row's behaviour is the strongest of like, long_view, click, view;
/// it is read as input from the next event on, never for the row itself. Label columns: click, long_view, like, profile_enter. Value: the
/// share of the video that was played. Contexts: tab, the page of the app, and hour, of the exposure, known before its outcome; profile,
/// "entered" where it was, known after it; and <see cref="KuaiRandFeatures.OfUsers"/>. An item's category is its tag.
/// Split by the date column: train to 05-04, validation 05-05 and 05-06, test from 05-07.
/// </summary>
internal static class KuaiRandData
{
    private const int ValidationFromDate = 20220505, TestFromDate = 20220507;
    private const string Header = "user_id,video_id,date,hourmin,time_ms,is_click,is_like,is_follow,is_comment,is_forward,is_hate,long_view,play_time_ms,duration_ms,profile_stay_time,comment_stay_time,is_profile_enter,is_rand,tab";
    private static readonly string[] LabelNames = ["click", "long_view", "like", "profile_enter"];
    private static readonly float[] Unlabelled = [float.NaN, float.NaN, float.NaN, float.NaN];
    private static readonly string[] OfExposures = ["tab", "hour", "profile"];

    private readonly record struct Exposure(
        int User, string Video, int Date, int Hour, long TimestampMs, bool Click, bool LongView, bool Like, bool ProfileEnter, float Played, string Tab);

    public static SequenceDataset Read(string folder)
    {
        // 1. The log, by user and time; rows of one instant stay in the files' order.
        var log = Log(Path.Combine(folder, "log_0425_0430.csv.gz")).Concat(Log(Path.Combine(folder, "log_0501_0508.csv.gz")))
            .OrderBy(e => e.User).ThenBy(e => e.TimestampMs)
            .ToArray();

        // 2. Each user's history, then the log's rows.
        var history = BenchmarkData.Lines(Path.Combine(folder, "user_history_until_0424.csv.gz")).Skip(1)
            .Select(line => line.Split(','))
            .ToDictionary(cells => int.Parse(cells[0], CultureInfo.InvariantCulture));
        var users = KuaiRandFeatures.Users(folder);
        var tags = KuaiRandFeatures.Tags(folder);
        var builder = new SequenceDatasetBuilder(LabelNames, 1 << 20, [.. OfExposures, .. KuaiRandFeatures.OfUsers]);
        var contexts = new string?[OfExposures.Length + KuaiRandFeatures.OfUsers.Length];
        var dates = new List<int>();
        for (var row = 0; row < log.Length;)
        {
            var user = log[row].User;
            builder.BeginSequence(user.ToString(CultureInfo.InvariantCulture));
            Array.Clear(contexts);
            if (users.TryGetValue(user, out var known))
                known.CopyTo(contexts, OfExposures.Length);
            if (history.TryGetValue(user, out var cells))
            {
                AddHistory(builder, cells, tags, contexts);
                while (dates.Count < builder.EventCount)
                    dates.Add(0);
            }

            for (; row < log.Length && log[row].User == user; row++)
            {
                var e = log[row];
                var behavior = e.Like ? "like" : e.LongView ? "long_view" : e.Click ? "click" : "view";
                (contexts[0], contexts[1], contexts[2]) = (e.Tab, e.Hour.ToString(CultureInfo.InvariantCulture), e.ProfileEnter ? "entered" : "");
                builder.Add(e.Video, behavior, e.TimestampMs, e.Played, tags.GetValueOrDefault(e.Video), [One(e.Click), One(e.LongView), One(e.Like), One(e.ProfileEnter)], contexts);
                dates.Add(e.Date);
            }
        }

        // 3. Roles by date; history is input alone.
        var dataset = builder.Build();
        var roles = new SplitRole[dataset.EventCount];
        var training = new bool[dataset.EventCount];
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            for (var t = dataset.Offsets[s]; t < dataset.Offsets[s + 1]; t++)
            {
                training[t] = dates[t] < ValidationFromDate;
                roles[t] = t == dataset.Offsets[s] || dates[t] == 0 ? SplitRole.None
                    : training[t] ? SplitRole.Train
                    : dates[t] < TestFromDate ? SplitRole.Validation : SplitRole.Test;
            }
        }

        return Splits.Apply(dataset, roles, training, "the benchmark's files are incomplete");

        static float One(bool flag) => flag ? 1 : 0;
    }

    /// <param name="cells">user_id, history_len, last_time_ms, then video ids separated by spaces: watched, liked, long watched.</param>
    /// <param name="contexts">The user's own; those of exposures are not known.</param>
    private static void AddHistory(SequenceDatasetBuilder builder, string[] cells, Dictionary<string, string> tags, string?[] contexts)
    {
        var watched = Videos(cells[3]);
        HashSet<string> liked = [.. Videos(cells[4])], longWatched = [.. Videos(cells[5])];
        // Only the last exposure's time is known: the others stand a second apart before it, which keeps their order.
        var last = long.Parse(cells[2], CultureInfo.InvariantCulture);
        for (var i = 0; i < watched.Length; i++)
        {
            var behavior = liked.Contains(watched[i]) ? "like" : longWatched.Contains(watched[i]) ? "long_view" : "view";
            builder.Add(watched[i], behavior, last - ((watched.Length - 1 - i) * 1000L), category: tags.GetValueOrDefault(watched[i]), labels: Unlabelled, contexts: contexts);
        }

        static string[] Videos(string cell) => cell.Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>A video of unknown length has none; past ten times through nothing more is told.</summary>
    private static float Played(string playMs, string durationMs)
    {
        var duration = float.Parse(durationMs, CultureInfo.InvariantCulture);
        return duration > 0 ? Math.Clamp(float.Parse(playMs, CultureInfo.InvariantCulture) / duration, 0, 10) : float.NaN;
    }

    private static IEnumerable<Exposure> Log(string path)
    {
        var header = true;
        foreach (var line in BenchmarkData.Lines(path))
        {
            if (header)
            {
                header = false;
                if (line != Header)
                    throw new BenchmarkDataException($"\"{Path.GetFileName(path)}\" has other columns than the benchmark's.");
                continue;
            }

            var cells = line.Split(',');
            yield return new Exposure(
                int.Parse(cells[0], CultureInfo.InvariantCulture),
                cells[1],
                int.Parse(cells[2], CultureInfo.InvariantCulture),
                int.Parse(cells[3], CultureInfo.InvariantCulture) / 100,
                long.Parse(cells[4], CultureInfo.InvariantCulture),
                cells[5] == "1",
                cells[11] == "1",
                cells[6] == "1",
                cells[16] == "1",
                Played(cells[12], cells[13]),
                cells[18]);
        }
    }
}
