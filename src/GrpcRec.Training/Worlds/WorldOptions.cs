namespace GrpcRec.Training.Worlds;

/// <summary>Which world, and how much of it.</summary>
public sealed record WorldOptions
{
    public const int MaxUsers = 1_000_000;

    /// <summary>One of <see cref="SyntheticWorld.Names"/>.</summary>
    public required string Name { get; init; }

    /// <summary>The same seed gives the same world, to the byte.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>1 to <see cref="MaxUsers"/>. null: the world's own number.</summary>
    public int? Users { get; init; }
}
