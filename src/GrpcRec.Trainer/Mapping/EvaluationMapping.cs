using GrpcRec.Training.Evaluation;
using GrpcRec.V1;

namespace GrpcRec.Trainer.Mapping;

static class EvaluationMapping
{
    public static EvaluateResponse ToWire(EvaluationReport report, ModelVersion model, Training.Events.ImportReport imported, bool isTrainingData) => new()
    {
        Progress = 1,
        Metrics = { report.Metrics.ToDictionary() },
        Model = model,
        Intervals =
        {
            report.Bootstrap.Intervals().ToDictionary(
                interval => interval.Key, interval => new V1.ConfidenceInterval { Low = interval.Value.Low, High = interval.Value.High }),
        },
        Resamples = report.Bootstrap.Resamples,
        Calibration = { report.Calibration.ToDictionary(task => task.Key, task => ToWire(task.Value)) },
        ImportReport = ImportReportMapping.ToWire(imported),
        IsTrainingData = isTrainingData,
    };

    private static Calibration ToWire(IReadOnlyList<Training.Evaluation.CalibrationBin> bins) => new()
    {
        Bins = { bins.Select(bin => new V1.CalibrationBin { MeanPredicted = bin.MeanPredicted, ObservedRate = bin.ObservedRate, Count = bin.Count }) },
    };
}
