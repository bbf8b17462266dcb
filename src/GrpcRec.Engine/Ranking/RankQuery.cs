using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Ranking;

/// <param name="Item">Dense item id.</param>
/// <param name="Score">next_item logit.</param>
public readonly record struct RankedItem(int Item, float Score);

/// <summary>One query of a top-k batch, and where its answer goes.</summary>
public sealed class RankQuery
{
    public required Slot Slot { get; init; }

    /// <summary>1…V.</summary>
    public required int K { get; init; }

    /// <summary>Dense ids never to be returned, ascending and different: what the user has seen. Skipped inside the scan.</summary>
    public int[] Excluded { get; init; } = [];

    /// <summary>Null: the whole catalogue.</summary>
    public RankFilter? Filter { get; init; }

    /// <summary>[≤ K] best first, of equal scores the lower id first; fewer when filter and exclusions left fewer. Set by the engine.</summary>
    public RankedItem[] Result { get; set; } = [];
}
