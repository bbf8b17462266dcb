using Google.Protobuf.WellKnownTypes;
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
        Split.ByOneofCase.Date => Splits.ByDate(dataset, Instant(split.Date.ValidationFrom, "validation_from"), Instant(split.Date.TestFrom, "test_from")),
        _ => Splits.LeaveOneOut(dataset),
    };

    private static DateTimeOffset Instant(Timestamp? instant, string field)
    {
        try
        {
            return instant?.ToDateTimeOffset() ?? throw new SplitException($"split.date.{field} is missing; give an instant, for example 2024-05-05T00:00:00Z.");
        }
        catch (Exception fault) when (fault is InvalidOperationException or ArgumentException)
        {
            throw new SplitException($"split.date.{field} is no instant of the years 1 to 9999.");
        }
    }
}
