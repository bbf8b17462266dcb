using System.Globalization;

namespace GrpcRec.Training.Datasets;

/// <summary>
/// Diginetica's anonymous sessions. Training sessions train, but for every tenth one, which validates; each test line "prefix TAB label"
/// is a sequence of its own whose last event, the label, tests. The file gives no times: an event's is its place in the files.
/// </summary>
internal static class DigineticaData
{
    private const int ValidationEvery = 10;

    public static SequenceDataset Read(string folder)
    {
        var builder = new SequenceDatasetBuilder([], 1 << 21) { HasTimes = false };
        long place = 0;
        var trainingSessions = 0;
        foreach (var line in BenchmarkData.Lines(Path.Combine(folder, "train_sessions.txt.gz")))
        {
            builder.BeginSequence(string.Create(CultureInfo.InvariantCulture, $"train-{++trainingSessions}"));
            AddAll(line);
        }

        var test = 0;
        foreach (var line in BenchmarkData.Lines(Path.Combine(folder, "test_prefix_label.txt.gz")))
        {
            var tab = line.IndexOf('\t', StringComparison.Ordinal);
            if (tab <= 0)
                throw new BenchmarkDataException($"Line {test + 1} of the test prefixes is not \"prefix TAB label\".");
            builder.BeginSequence(string.Create(CultureInfo.InvariantCulture, $"test-{++test}"));
            AddAll(line[..tab]);
            AddAll(line[(tab + 1)..]);
        }

        var dataset = builder.Build();
        var roles = new SplitRole[dataset.EventCount];
        var training = new bool[dataset.EventCount];
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            int start = dataset.Offsets[s], end = dataset.Offsets[s + 1];
            var role = s >= trainingSessions ? SplitRole.Test : s % ValidationEvery == ValidationEvery - 1 ? SplitRole.Validation : SplitRole.Train;
            for (var t = start; t < end; t++)
            {
                var target = t > start && (role != SplitRole.Test || t == end - 1);
                roles[t] = target ? role : SplitRole.None;
                training[t] = role == SplitRole.Train;
            }
        }

        return Splits.Apply(dataset, roles, training, "the benchmark's files are incomplete");

        void AddAll(string items)
        {
            foreach (var item in items.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                builder.Add(item, "click", ++place);
        }
    }
}
