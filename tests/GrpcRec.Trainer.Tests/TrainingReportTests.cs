using System.Text.Json;
using System.Text.RegularExpressions;
using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Reports;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.Training.Relatedness;

namespace GrpcRec.Trainer.Tests;

public sealed class TrainingReportTests : IDisposable
{
    private static readonly byte[] PngSignature = [0x89, (byte)'P', (byte)'N', (byte)'G'];

    private readonly ScratchDirectory _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public void Write_FullReport_StandsAloneWithItsPictures()
    {
        var page = TrainingReportWriter.Write(Report(), Path.Combine(_models.Path, "report"));
        var html = File.ReadAllText(page);
        // Nothing is fetched: what is addressed stands in the page, and the rest are names of SVG's vocabularies.
        Assert.All(Regex.Matches(html, "(?:src|href)=\"([^\"#]*)\"").Select(match => match.Groups[1].Value), address => Assert.StartsWith("data:", address, StringComparison.Ordinal));
        Assert.All(Regex.Matches(html, "https?://[^\"' <]*").Select(match => match.Value), address => Assert.StartsWith("http://www.w3.org/", address, StringComparison.Ordinal));
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("A seesaw", html, StringComparison.Ordinal);

        string[] pictures = ["losses", "validation-ranking", "validation-tasks", "tasks", "cosines", "gains", "calibration", "inputs"];
        Assert.Equal(pictures, Regex.Matches(html, "<figure id=\"([^\"]+)\"><svg").Select(match => match.Groups[1].Value));
        foreach (var name in pictures)
            Assert.Equal(PngSignature, File.ReadAllBytes(Path.Combine(_models.Path, "report", name + ".png"))[..4]);

        using var json = JsonDocument.Parse(File.ReadAllText(Path.Combine(_models.Path, "report", "report.json")));
        Assert.Equal(2, json.RootElement.GetProperty("bestEpoch").GetInt32());
        Assert.Equal(6, json.RootElement.GetProperty("users").GetArrayLength());
    }

    [Fact]
    public void Write_TextFromTheData_IsNotMarkup()
    {
        var report = Report();
        var hostile = report with { Users = [report.Users[0] with { Key = "<script>alert(1)</script>", Next = new ReportEvent("\"><img src=x onerror=alert(1)>", "", "event") }] };
        var html = File.ReadAllText(TrainingReportWriter.Write(hostile, _models.Path));
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<img", html, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("&lt;script&gt;", html, StringComparison.Ordinal);
    }

    [Fact]
    public void Build_ModelThatKnowsItAll_PutsTheNextItemFirst()
    {
        // The targets are the model's own first choices.
        Assert.All(Report().Users, user =>
        {
            Assert.Equal(1, user.NextRank);
            Assert.True(user.Recommended[0].IsNext);
            Assert.Equal(user.Next.Item, user.Recommended[0].Item);
            Assert.Equal(11, user.Events.Count);
        });
    }

    [Fact]
    public void Write_OneTaskWithoutHistory_HasNoEmptyPicture()
    {
        var html = File.ReadAllText(TrainingReportWriter.Write(Report() with { History = [], Relatedness = null, Inputs = [], Calibration = new Dictionary<string, IReadOnlyList<CalibrationBin>>() }, _models.Path));
        Assert.DoesNotContain("<figure", html, StringComparison.Ordinal);
    }

    [Fact]
    public void TrainedModelReport_DirectoryThatCannotBe_IsToldAndNothingElse()
    {
        var taught = new SelfTaught(outlier: false);
        var artifact = taught.Write(_models.Path);
        File.WriteAllText(Path.Combine(artifact, TrainingReportWriter.DirectoryName), "a file stands where the directory should");
        var notes = new List<string>();
        TrainedModelReport.Write(taught.Data.Dataset, Plan(taught), Outcome(taught), artifact, new Dictionary<string, IReadOnlyDictionary<string, double>>(), null, notes.Add, CancellationToken.None);
        Assert.Contains("missing or incomplete", Assert.Single(notes), StringComparison.Ordinal);
    }

    private TrainingReport Report()
    {
        var taught = new SelfTaught(outlier: false);
        var relatedness = new TaskRelatedness(
            ["next", "like"], [[1, -0.4], [-0.4, 1]],
            [new TaskGain("next", "ndcg@10", 0.9, 0.8), new TaskGain("like", "auc/like", 0.7, 0.75)], ["A seesaw: next gains, at the price of like."]);
        var report = TrainingReportBuilder.Build(
            taught.Data.Dataset, Plan(taught), Outcome(taught), taught.Write(Path.Combine(_models.Path, Guid.NewGuid().ToString("N"))),
            new Dictionary<string, IReadOnlyDictionary<string, double>> { ["popularity"] = new Dictionary<string, double> { ["ndcg@10"] = 0.1 } }, relatedness, CancellationToken.None);
        return report with { Calibration = new Dictionary<string, IReadOnlyList<CalibrationBin>> { ["like"] = [new(0.1, 0.2, 9), new(0.6, 0.5, 9)] }, Headlines = new Dictionary<string, string> { ["next"] = "ndcg@10", ["like"] = "auc/like" } };
    }

    private static TrainingPlan Plan(SelfTaught taught) => new()
    {
        ModelName = "taught", ModelVersion = "v1", Tasks = taught.Data.Tasks, Evaluation = taught.Data.Plan,
    };

    private static TrainingOutcome Outcome(SelfTaught taught) => new(
        taught.Artifact.Manifest, ModelEvaluator.Report(taught.Artifact, taught.Data.Dataset, taught.Data.Tasks, taught.Data.Plan, SplitRole.Test),
        [.. Enumerable.Range(1, 3).Select(epoch => new EpochRecord(
            epoch, 3.0 / epoch, new Dictionary<string, double> { ["next"] = 2.0 / epoch, ["like"] = 0.7 / epoch },
            new Dictionary<string, double> { ["ndcg@10"] = 0.1 * epoch, ["hr@10"] = 0.2 * epoch, ["auc/like"] = 0.6 }, 1, 2)
        {
            GradientCosines = [[1, -0.1 * epoch], [-0.1 * epoch, 1]],
        })],
        2, "ndcg@10", TrainingEnd.EarlyStopping);
}
