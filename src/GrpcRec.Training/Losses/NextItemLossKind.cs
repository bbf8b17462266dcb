namespace GrpcRec.Training.Losses;

/// <summary>What next_item is trained by.</summary>
public enum NextItemLossKind
{
    /// <summary>Cross-entropy over the whole catalogue.</summary>
    FullSoftmax,

    /// <summary>Cross-entropy against a sample of items, corrected for how likely each was to be drawn.</summary>
    SampledSoftmax,

    /// <summary>The target against a sample's best items, pairwise (Hidasi &amp; Karatzoglou, CIKM 2018).</summary>
    BprMax,
}
