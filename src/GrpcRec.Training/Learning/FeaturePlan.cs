using GrpcRec.Engine.Models;

namespace GrpcRec.Training.Learning;

/// <summary>A categorical that the encoder is to read of every event. Which values or boundaries it has is learnt of the training part.</summary>
/// <param name="Name">Unique among the event features; of a context its column in the data too, and later the key in an event's context.</param>
public sealed record EventFeaturePlan(string Name, FeatureSource Source = FeatureSource.Context)
{
    /// <summary>Columns of its embedding. 0: about the root of its number of values, 2 to 16.</summary>
    public int EmbeddingSize { get; init; }

    /// <summary>time_gap and value: intervals at most. 0: 16 and 8. Not read for others.</summary>
    public int Buckets { get; init; }
}

/// <summary>A categorical that the heads of candidate tasks are to read of a request, and in training of the target's own event.</summary>
/// <param name="Name">Unique among the request features; its context column in the data, and later the key in a request's context.</param>
public sealed record RequestFeaturePlan(string Name)
{
    /// <inheritdoc cref="EventFeaturePlan.EmbeddingSize"/>
    public int EmbeddingSize { get; init; }
}
