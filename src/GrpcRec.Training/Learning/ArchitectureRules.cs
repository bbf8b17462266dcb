using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using static GrpcRec.Training.Learning.TrainingPlanRules;

namespace GrpcRec.Training.Learning;

/// <summary>Bounds of a network, and the encoder's part of the manifest.</summary>
internal static class ArchitectureRules
{
    public const int MaxWidth = 1024;
    public const int MaxLayers = 8;
    public const int MaxSequenceLength = 10_000;
    private static readonly int[] DefaultHeights = [1, 2, 4];

    /// <exception cref="TrainingException">A field is out of its range, or does not fit the kind of encoder or trunk.</exception>
    public static void Check(ArchitecturePlan network)
    {
        var limits = ArtifactLimits.Default;
        if (!Enum.IsDefined(network.Encoder) || network.Encoder == EncoderKind.Counts)
            throw Bad("architecture.encoder", "is not a kind of encoder that learns");
        if (network.Encoder == EncoderKind.Gru && network.ResetPlacement is not (ResetPlacement.BeforeProduct or ResetPlacement.AfterProduct))
            throw Bad("architecture.gru_reset", "must be before_product or after_product for a gru");
        if (!Enum.IsDefined(network.Trunk))
            throw Bad("architecture.trunk", "is not a kind of trunk");
        Between("architecture.embedding_size", network.EmbeddingSize, 1, MaxWidth);
        Between("architecture.behavior_embedding_size", network.BehaviorEmbeddingSize, 0, MaxWidth);
        Between("architecture.hidden_size", network.HiddenSize, 1, MaxWidth);
        Between("architecture.layers", network.Layers, 1, network.Encoder switch
        {
            EncoderKind.Cnn => 1,
            EncoderKind.Bag => limits.MaxDenseLayers,
            _ => MaxLayers,
        });
        Between("architecture.dropout", network.Dropout, 0, 0.9);
        Between("architecture.bottom_size", network.BottomSize, 1, MaxWidth);
        Between("architecture.tower_size", network.TowerSize, 0, MaxWidth);
        Between("architecture.max_sequence_length", network.MaxSequenceLength, 1, MaxSequenceLength);
        if (network.Encoder == EncoderKind.Cnn)
            CheckFilters(network, limits);
        FeatureRules.Check(network);
        if (network.Trunk != TrunkKind.SharedBottom)
            Between("architecture.shared_experts", network.SharedExperts, 1, limits.MaxExperts);
        if (HasTaskExperts(network.Trunk))
            Between("architecture.task_experts", network.TaskExperts, 1, limits.MaxExperts);
        if (network.Trunk == TrunkKind.Ple)
            Between("architecture.trunk_levels", network.TrunkLevels, 1, limits.MaxTrunkLevels);
    }

    /// <param name="hasCandidateTask">A task but next_item reads a candidate, so that there is a trunk.</param>
    public static EncoderManifest Manifest(ArchitecturePlan network, SequenceDataset dataset, bool hasCandidateTask)
    {
        var isConvolution = network.Encoder == EncoderKind.Cnn;
        return new EncoderManifest
        {
            Kind = network.Encoder,
            EmbeddingSize = network.EmbeddingSize,
            BehaviorEmbeddingSize = dataset.Behaviors.Count > 1 ? network.BehaviorEmbeddingSize : 0,
            HiddenSize = network.HiddenSize,
            Layers = network.Layers,
            GateOrder = EncoderManifest.GateOrderOf(network.Encoder),
            ResetPlacement = network.Encoder == EncoderKind.Gru ? network.ResetPlacement : ResetPlacement.None,
            WindowLength = isConvolution ? network.WindowLength : 0,
            FilterHeights = !isConvolution ? [] : network.FilterHeights.Count > 0 ? network.FilterHeights : [.. DefaultHeights.Where(height => height <= network.WindowLength)],
            HorizontalFilters = isConvolution ? network.HorizontalFilters : 0,
            VerticalFilters = isConvolution ? network.VerticalFilters : 0,
            TiedItemEmbedding = network.TiedItemEmbedding,
            BottomSize = hasCandidateTask ? network.BottomSize : 0,
            Trunk = hasCandidateTask ? Trunk(network) : new TrunkManifest(),
            TowerSize = network.TowerSize,
        };
    }

    private static TrunkManifest Trunk(ArchitecturePlan network) => new()
    {
        Kind = network.Trunk,
        SharedExperts = network.Trunk == TrunkKind.SharedBottom ? 0 : network.SharedExperts,
        TaskExperts = HasTaskExperts(network.Trunk) ? network.TaskExperts : 0,
        Levels = network.Trunk == TrunkKind.Ple ? network.TrunkLevels : 1,
    };

    private static bool HasTaskExperts(TrunkKind trunk) => trunk is TrunkKind.Cgc or TrunkKind.Ple or TrunkKind.Stem;

    private static void CheckFilters(ArchitecturePlan network, ArtifactLimits limits)
    {
        Between("architecture.window_length", network.WindowLength, 1, limits.MaxWindowLength);
        Between("architecture.horizontal_filters", network.HorizontalFilters, 1, limits.MaxFilters);
        Between("architecture.vertical_filters", network.VerticalFilters, 0, limits.MaxFilters);
        var last = 0;
        foreach (var height in network.FilterHeights)
        {
            if (height <= last || height > network.WindowLength)
                throw Bad("architecture.filter_heights", $"must be ascending, different and from 1 to the window's {network.WindowLength}");
            last = height;
        }
    }
}
