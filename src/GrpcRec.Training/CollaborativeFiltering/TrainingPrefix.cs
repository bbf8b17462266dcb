using GrpcRec.Training.Datasets;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>The events of a sequence that a model may have seen in training: its targets there and what stands before them.</summary>
internal static class TrainingPrefix
{
    /// <returns>Items, oldest first; empty where nothing trains.</returns>
    public static ReadOnlySpan<int> Of(SequenceDataset dataset, int sequence)
    {
        int start = dataset.Offsets[sequence], end = dataset.Offsets[sequence + 1];
        while (end > start && dataset.Roles[end - 1] != SplitRole.Train)
            end--;
        return dataset.ItemIds.AsSpan(start..end);
    }
}
