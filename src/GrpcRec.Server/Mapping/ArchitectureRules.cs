using GrpcRec.V1;
using static GrpcRec.Server.Mapping.TrainRequestRules;

namespace GrpcRec.Server.Mapping;

/// <summary>The bounds of the network that a training request asks for. What another kind of encoder or trunk would read is not looked at.</summary>
static class ArchitectureRules
{
    const int MaxWindow = 64;
    const int MaxDenseLayers = 3;
    static readonly string[] Encoders = ["lstm", "gru", "rnn", "bag", "cnn", "mingru"];
    static readonly string[] Trunks = ["shared_bottom", "mmoe", "cgc", "ple", "stem"];

    public static void Check(Architecture? network, Violations violations)
    {
        if (network is null) return;
        const string at = "architecture.";
        OneOf(at + "encoder", network.Encoder, Encoders, violations);
        OneOf(at + "trunk", network.Trunk, Trunks, violations);
        if (!Enum.IsDefined(network.GruReset))
            violations.Add(at + "gru_reset", ViolationReason.UnknownName, $"is {(int)network.GruReset}, which is no GruReset.");
        InRange(at + "embedding_size", network.HasEmbeddingSize, network.EmbeddingSize, 4, 1_024, violations);
        InRange(at + "hidden_size", network.HasHiddenSize, network.HiddenSize, 4, 1_024, violations);
        InRange(at + "layers", network.HasLayers, network.Layers, 1, network.Encoder switch { "cnn" => 1, "bag" => MaxDenseLayers, _ => 4 }, violations);
        if (network.HasDropout && network.Dropout is not (>= 0 and <= 0.9))
            violations.Add(at + "dropout", RangeReason(network.Dropout), $"is {Number(network.Dropout)}; 0 to 0.9.");
        InRange(at + "bottom_size", network.HasBottomSize, network.BottomSize, 4, 1_024, violations);
        InRange(at + "tower_size", network.HasTowerSize, network.TowerSize, 0, 1_024, violations);
        InRange(at + "max_sequence_length", network.HasMaxSequenceLength, network.MaxSequenceLength, 1, 2_048, violations);
        InRange(at + "window_length", network.HasWindowLength, network.WindowLength, 1, MaxWindow, violations);
        CheckHeights(network, violations);
        InRange(at + "horizontal_filters", network.HasHorizontalFilters, network.HorizontalFilters, 1, 256, violations);
        InRange(at + "vertical_filters", network.HasVerticalFilters, network.VerticalFilters, 0, 256, violations);
        InRange(at + "shared_experts", network.HasSharedExperts, network.SharedExperts, 1, 32, violations);
        InRange(at + "task_experts", network.HasTaskExperts, network.TaskExperts, 1, 32, violations);
        InRange(at + "trunk_levels", network.HasTrunkLevels, network.TrunkLevels, 1, 2, violations);
    }

    static void OneOf(string field, string value, string[] names, Violations violations)
    {
        if (value.Length > 0 && !names.Contains(value))
            violations.Add(field, ViolationReason.UnknownName, $"is {Violations.Quote(value)}; use {Violations.Choices(names)}.");
    }

    static void CheckHeights(Architecture network, Violations violations)
    {
        const string field = "architecture.filter_heights";
        var window = network.HasWindowLength ? Math.Clamp(network.WindowLength, 1, MaxWindow) : 8;
        if (network.FilterHeights.Count > window)
        {
            violations.Add(field, ViolationReason.TooMany, $"has {network.FilterHeights.Count} heights; at most the window's {window}.");
            return;
        }

        for (var i = 0; i < network.FilterHeights.Count; i++)
        {
            var height = network.FilterHeights[i];
            if (height < 1 || height > window)
                violations.Add($"{field}[{i}]", ViolationReason.OutOfRange, $"is {height}; 1 to the window's {window}.");
            else if (i > 0 && height <= network.FilterHeights[i - 1])
                violations.Add($"{field}[{i}]", ViolationReason.OutOfOrder, $"is {height}, not above the height before it.");
        }
    }
}
