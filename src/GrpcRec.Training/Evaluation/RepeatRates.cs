using GrpcRec.Engine.Models;
using GrpcRec.Training.CollaborativeFiltering;
using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.Evaluation;

/// <summary>How often a training target repeats an item of the events before it.</summary>
internal static class RepeatRates
{
    /// <summary>Bound of a term either way: e⁸ times as likely, or as unlikely, as by popularity.</summary>
    private const double MaxTerm = 8;

    /// <returns>[D] log of the repeats at each distance over those expected of popularity, half a repeat more counted of each.</returns>
    public static float[] LogRatios(SequenceDataset dataset, int maxSequenceLength)
    {
        var shares = Array.ConvertAll(PopularityBaseline.LogShares(dataset.Items), log => Math.Exp(log));
        var (counts, expected) = (new double[RepeatTerms.Count(maxSequenceLength)], new double[RepeatTerms.Count(maxSequenceLength)]);
        var repeated = new RepeatedItems(dataset.Items.Count);
        for (var s = 0; s < dataset.SequenceCount; s++)
        {
            var first = dataset.Offsets[s];
            for (var t = first + 1; t < dataset.Offsets[s + 1]; t++)
            {
                if (dataset.Roles[t] != SplitRole.Train)
                    continue;
                var start = Math.Max(first, t - maxSequenceLength);
                repeated.Fill(dataset.ItemIds.AsSpan(start, t - start));
                foreach (var item in repeated.Items)
                    expected[repeated.TermOf(item)] += shares[item];
                if (repeated.TermOf(dataset.ItemIds[t]) is var term and >= 0)
                    counts[term]++;
            }
        }

        return [.. counts.Zip(expected, (count, chance) => (float)Math.Clamp(Math.Log((count + 0.5) / (chance + 0.5)), -MaxTerm, MaxTerm))];
    }
}
