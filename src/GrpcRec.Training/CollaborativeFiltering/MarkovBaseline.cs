using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>
/// Items by how often they followed the last one in training; equally frequent ones, and all that never did, by popularity.
/// On sparse and on dense data this is a hard rule to beat, and it costs one count.
/// </summary>
internal sealed class MarkovBaseline : INextItemBaseline
{
    private readonly PopularityBaseline _popularity;

    // Successors of item i, from the first in rank on: _successors[_offsets[i] … _offsets[i + 1]).
    private readonly int[] _offsets;
    private readonly int[] _successors;

    public MarkovBaseline(SequenceDataset dataset, PopularityBaseline popularity)
    {
        _popularity = popularity;
        var counts = new Dictionary<(int From, int To), int>();
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            for (var t = dataset.Offsets[s] + 1; t < dataset.Offsets[s + 1]; t++)
            {
                if (dataset.Roles[t] != SplitRole.Train)
                    continue;
                var pair = (dataset.ItemIds[t - 1], dataset.ItemIds[t]);
                counts[pair] = counts.GetValueOrDefault(pair) + 1;
            }
        }

        _offsets = new int[dataset.Items.Count + 1];
        foreach (var (from, _) in counts.Keys)
            _offsets[from + 1]++;
        for (var item = 0; item < dataset.Items.Count; item++)
            _offsets[item + 1] += _offsets[item];
        _successors = [.. counts
            .OrderBy(c => c.Key.From).ThenByDescending(c => c.Value).ThenBy(c => popularity.Places[c.Key.To])
            .Select(c => c.Key.To)];
    }

    public int Rank(in Past past, int target, SeenItems hidden, float[] scratch)
    {
        // 1. Among the successors.
        var row = _successors.AsSpan(_offsets[past.Last].._offsets[past.Last + 1]);
        var before = 0;
        foreach (var item in row)
        {
            if (item == target)
                return 1 + before;
            if (!hidden.Contains(item))
                before++;
        }

        // 2. After them, by popularity: less those that are hidden, or were counted as successors.
        before += _popularity.Rank(target, hidden) - 1;
        foreach (var item in row)
        {
            if (!hidden.Contains(item) && _popularity.Places[item] < _popularity.Places[target])
                before--;
        }

        return 1 + before;
    }
}
