using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;
using GrpcRec.V1;
using FeatureSource = GrpcRec.Engine.Models.FeatureSource;

namespace GrpcRec.Trainer.Mapping;

/// <summary>The network that a request asks for. Absent fields are the defaults', which the contract states where none are given.</summary>
static class ArchitectureMapping
{
    public static ArchitecturePlan FromWire(Architecture wire, ArchitecturePlan? defaults = null)
    {
        defaults ??= new ArchitecturePlan();
        return defaults with
        {
            Encoder = wire.Encoder switch
            {
                "" => defaults.Encoder,
                "lstm" => EncoderKind.Lstm,
                "gru" => EncoderKind.Gru,
                "rnn" => EncoderKind.Rnn,
                "bag" => EncoderKind.Bag,
                "cnn" => EncoderKind.Cnn,
                "mingru" => EncoderKind.MinGru,
                _ => throw Unknown("encoder", wire.Encoder, "architecture.encoder", "use lstm, gru, rnn, bag, cnn or mingru"),
            },
            ResetPlacement = wire.GruReset switch
            {
                GruReset.Unspecified => defaults.ResetPlacement,
                GruReset.AfterProduct => ResetPlacement.AfterProduct,
                GruReset.BeforeProduct => ResetPlacement.BeforeProduct,
                _ => throw Unknown("gru_reset", wire.GruReset, "architecture.gru_reset"),
            },
            WindowLength = wire.HasWindowLength ? wire.WindowLength : defaults.WindowLength,
            FilterHeights = wire.FilterHeights.Count > 0 ? [.. wire.FilterHeights] : defaults.FilterHeights,
            HorizontalFilters = wire.HasHorizontalFilters ? wire.HorizontalFilters : defaults.HorizontalFilters,
            VerticalFilters = wire.HasVerticalFilters ? wire.VerticalFilters : defaults.VerticalFilters,
            EmbeddingSize = wire.HasEmbeddingSize ? wire.EmbeddingSize : defaults.EmbeddingSize,
            HiddenSize = wire.HasHiddenSize ? wire.HiddenSize : defaults.HiddenSize,
            Layers = wire.HasLayers ? wire.Layers : defaults.Layers,
            Dropout = wire.HasDropout ? wire.Dropout : defaults.Dropout,
            TiedItemEmbedding = wire.HasTiedItemEmbedding ? wire.TiedItemEmbedding : defaults.TiedItemEmbedding,
            Trunk = wire.Trunk switch
            {
                "" => defaults.Trunk,
                "shared_bottom" => TrunkKind.SharedBottom,
                "mmoe" => TrunkKind.Mmoe,
                "cgc" => TrunkKind.Cgc,
                "ple" => TrunkKind.Ple,
                "stem" => TrunkKind.Stem,
                _ => throw Unknown("trunk", wire.Trunk, "architecture.trunk"),
            },
            SharedExperts = wire.HasSharedExperts ? wire.SharedExperts : defaults.SharedExperts,
            TaskExperts = wire.HasTaskExperts ? wire.TaskExperts : defaults.TaskExperts,
            TrunkLevels = wire.HasTrunkLevels ? wire.TrunkLevels : defaults.TrunkLevels,
            BottomSize = wire.HasBottomSize ? wire.BottomSize : defaults.BottomSize,
            TowerSize = wire.HasTowerSize ? wire.TowerSize : defaults.TowerSize,
            MaxSequenceLength = wire.HasMaxSequenceLength ? wire.MaxSequenceLength : defaults.MaxSequenceLength,
            EventFeatures = wire.EventFeatures.Count > 0 ? [.. wire.EventFeatures.Select(FromWire)] : defaults.EventFeatures,
            RequestFeatures = wire.RequestFeatures.Count > 0 ? [.. wire.RequestFeatures.Select(feature => new RequestFeaturePlan(feature.Name) { EmbeddingSize = feature.EmbeddingSize })] : defaults.RequestFeatures,
            ItemMemory = wire.HasItemMemory ? wire.ItemMemory : defaults.ItemMemory,
            RepeatTerms = wire.HasRepeatTerms ? wire.RepeatTerms : defaults.RepeatTerms,
            ItemTerms = wire.HasItemTerms ? wire.ItemTerms : defaults.ItemTerms,
            ItemTermRate = wire.HasItemTermRate ? wire.ItemTermRate : defaults.ItemTermRate,
        };
    }

    private static EventFeaturePlan FromWire(EventFeatureSpec wire) => new(wire.Name, wire.Source switch
    {
        "" or "context" => FeatureSource.Context,
        "time_gap" => FeatureSource.TimeGap,
        "value" => FeatureSource.Value,
        "item_category" => FeatureSource.ItemCategory,
        _ => throw Unknown($"event_features['{wire.Name}'].source", wire.Source, "architecture.event_features", "use context, time_gap, value or item_category"),
    })
    {
        EmbeddingSize = wire.EmbeddingSize,
        Buckets = wire.Buckets,
    };

    private static TrainingException Unknown(string field, object value, string plan, string instead = "leave it out for the default") =>
        new($"architecture.{field} is {value}, which this build does not know; {instead}.") { Field = plan };
}
