using GrpcRec.Engine.Models;

namespace GrpcRec.Training.Learning;

/// <summary>The network: embedding → dropout → encoder → trunk → task heads.</summary>
public sealed record ArchitecturePlan
{
    public EncoderKind Encoder { get; init; } = EncoderKind.Lstm;

    /// <summary>Of a GRU; not read for other kinds.</summary>
    public ResetPlacement ResetPlacement { get; init; } = ResetPlacement.AfterProduct;

    /// <summary>Of a convolution, as the other fields of filters: events that the filters see, the last ones.</summary>
    public int WindowLength { get; init; } = 8;

    /// <summary>Heights of the horizontal filters, in events, ascending. Empty: 1, 2 and 4, as far as the window goes.</summary>
    public IReadOnlyList<int> FilterHeights { get; init; } = [];

    /// <summary>Of each height.</summary>
    public int HorizontalFilters { get; init; } = 16;

    /// <summary>0: none.</summary>
    public int VerticalFilters { get; init; } = 4;
    public int EmbeddingSize { get; init; } = 64;

    /// <summary>0: the model does not read behaviours. Ignored when there is only one behaviour.</summary>
    public int BehaviorEmbeddingSize { get; init; } = 8;
    public int HiddenSize { get; init; } = 128;

    /// <summary>Recurrent layers; of a bag, dense layers; a convolution has one.</summary>
    public int Layers { get; init; } = 1;
    public double Dropout { get; init; } = 0.2;
    public bool TiedItemEmbedding { get; init; } = true;

    /// <summary>Of the bottom that the tasks share, or of each expert.</summary>
    public int BottomSize { get; init; } = 64;
    public TrunkKind Trunk { get; init; } = TrunkKind.SharedBottom;

    /// <summary>Experts that all tasks mix; not read for a shared bottom.</summary>
    public int SharedExperts { get; init; } = 4;

    /// <summary>Further experts of each task, in cgc, ple and stem; not read for others.</summary>
    public int TaskExperts { get; init; } = 2;

    /// <summary>Extraction levels of ple; not read for others.</summary>
    public int TrunkLevels { get; init; } = 2;
    public int TowerSize { get; init; } = 32;
    public int MaxSequenceLength { get; init; } = 200;

    /// <summary>What the encoder reads of an event beside its item and behaviour, in this order.</summary>
    public IReadOnlyList<EventFeaturePlan> EventFeatures { get; init; } = [];

    /// <summary>What the heads of candidate tasks but next_item read of a request, in this order.</summary>
    public IReadOnlyList<RequestFeaturePlan> RequestFeatures { get; init; } = [];

    /// <summary>next_item: a way from the items read straight to those that are like them (<see cref="TaskManifest.ItemMemory"/>).</summary>
    public bool ItemMemory { get; init; }

    /// <summary>next_item: a term in the logit of an item that stands among the events read, for each power of two of the events since (<see cref="Engine.Models.RepeatTerms"/>).</summary>
    public bool RepeatTerms { get; init; }

    /// <summary>
    /// A term of each item in the logit of binary tasks of a candidate. It begins at what the item's smoothed rate in the training part adds to
    /// the log-odds of all, so that training begins at the rates.
    /// </summary>
    public bool ItemTerms { get; init; }

    /// <summary>
    /// Share of the learning rate that those terms learn by, 0 (they stay as they began) to 1: most items have few labels, and Adam's steps are as
    /// large for a rare gradient as for a frequent one.
    /// </summary>
    public double ItemTermRate { get; init; } = 0.1;
}
