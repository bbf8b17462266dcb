using Wire = GrpcRec.V1;

namespace GrpcRec.Trainer.Mapping;

static class ImportReportMapping
{
    public static Wire.ImportReport ToWire(Training.Events.ImportReport report) => new()
    {
        RowsRead = report.RowsRead,
        BadRows = report.BadRows,
        DuplicateRows = report.DuplicateRows,
        FilteredRows = report.FilteredRows,
        RowsKept = report.RowsKept,
        Sequences = report.Sequences,
        Items = report.Items,
        Behaviors = report.Behaviors,
        BadRowSamples = { report.BadRowSamples.Select(bad => new Wire.BadRow { Row = bad.Row, Reason = bad.Reason, Text = bad.Text }) },
    };
}
