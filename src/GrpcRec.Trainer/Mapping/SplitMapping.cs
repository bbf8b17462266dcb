using GrpcRec.Training.Datasets;
using GrpcRec.V1;

namespace GrpcRec.Trainer.Mapping;

static class SplitMapping
{
    /// <exception cref="SplitException">The data cannot be split as asked.</exception>
    public static SequenceDataset Apply(Split? split, SequenceDataset dataset) => split?.ByCase switch
    {
        Split.ByOneofCase.Time => Splits.ByTime(
            dataset,
            split.Time.HasValidationShare ? split.Time.ValidationShare : 0.1,
            split.Time.HasTestShare ? split.Time.TestShare : 0.1),
        Split.ByOneofCase.Date => Splits.ByDate(dataset, split.Date.ValidationFrom.ToDateTimeOffset(), split.Date.TestFrom.ToDateTimeOffset()),
        _ => Splits.LeaveOneOut(dataset),
    };
}
