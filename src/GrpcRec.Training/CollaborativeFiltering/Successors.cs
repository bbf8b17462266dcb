using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>
/// Markov-1: how often each item followed each in training, as a share of all that followed it; of equally frequent ones the more popular first.
/// On sparse and on dense data this is a hard rule to beat, and it costs one count.
/// </summary>
internal static class Successors
{
    /// <summary>Last events that are read.</summary>
    public const int Reach = 1;

    /// <param name="progress">Told, on this thread, how many rows of how many were counted.</param>
    public static NeighbourTable Count(
        SequenceDataset dataset, PopularityBaseline popularity, Action<long, long>? progress = null, CancellationToken cancellation = default)
    {
        var occurrences = new TrainingOccurrences(dataset);
        var totals = new int[dataset.Items.Count];
        return NeighbourTable.Count(
            dataset.Items.Count, CountRow, (item, next, counts) => (float)counts.Of(next) / totals[item],
            ArtifactLimits.Default.MaxNeighboursOfItem, popularity.Places, progress, cancellation);

        void CountRow(int item, RowCounts counts)
        {
            var total = 0;
            foreach (var (t, sequence) in occurrences.Of(item))
            {
                if (t + 1 >= occurrences.Ends[sequence] || dataset.Roles[t + 1] != SplitRole.Train)
                    continue;
                counts.Add(dataset.ItemIds[t + 1]);
                total++;
            }

            totals[item] = total;
        }
    }
}
