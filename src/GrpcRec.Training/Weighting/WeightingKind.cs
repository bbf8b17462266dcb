using System.Text.Json.Serialization;

namespace GrpcRec.Training.Weighting;

/// <summary>How the tasks' losses are combined.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<WeightingKind>))]
public enum WeightingKind
{
    /// <summary>By the weights of the plan's tasks.</summary>
    Fixed,

    /// <summary>All alike, whatever the plan's tasks say.</summary>
    Equal,
    Uncertainty,
    Dwa,
    GradNorm,
    PcGrad,
    CaGrad,
    Famo,
}
