using GrpcRec.Engine.Models;

namespace GrpcRec.Training.CollaborativeFiltering;

/// <summary>A baseline as it will be written, before it is judged.</summary>
internal sealed record BaselineModel(ModelManifest Manifest, Dictionary<string, WeightTensor> Tensors)
{
    public Dictionary<string, IndexTensor> Indices { get; init; } = [];
}
