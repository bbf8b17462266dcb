using System.Text.Json;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Trainer.Commands;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;

namespace GrpcRec.Trainer.Tests;

public sealed class QuantiseTests : IDisposable
{
    private static readonly Precision[] Both = [Precision.Int8, Precision.Bf16];

    private readonly ScratchDirectory _models = new();

    public void Dispose() => _models.Dispose();

    [Fact]
    public void Run_LosslessModel_WritesInt8BesideItWithItsFigures()
    {
        var taught = new SelfTaught(outlier: false);
        var source = taught.Write(_models.Path);
        var run = Run(source, "v2", taught.Data, Both, maxLoss: 0.1);
        Assert.Equal(0, run.Code);
        var written = ModelArtifact.Load(Path.Combine(_models.Path, "taught", "v2"));
        var precision = written.Manifest.Precision!;
        Assert.Equal(Precision.Int8, precision.Precision);
        Assert.Equal("ndcg@10", precision.Metric);
        Assert.Equal(1, precision.Float32);
        Assert.InRange(precision.Reduced, 0.9, 1);
        Assert.Equal(0.1, precision.MaxRelativeLoss);
        Assert.Equal(("taught", "v2"), (written.Manifest.Name, written.Manifest.Version));

        // The weights are the same file; the test metrics are its own.
        var before = ModelArtifact.ReadManifest(source);
        Assert.Equal(before.Files[ModelArtifact.WeightsFile], written.Manifest.Files[ModelArtifact.WeightsFile]);
        Assert.InRange(written.Manifest.Metrics["ndcg@10"], 0.9, 1);
        using var engine = StepEngineFactory.Create(written, new EngineOptions { Kind = EngineKind.Cpu });
        Assert.Equal(Precision.Int8, engine.Precision);

        using var json = JsonDocument.Parse(run.Output.Trim().Split('\n')[^1]);
        Assert.Equal("v2", json.RootElement.GetProperty("version").GetString());
        Assert.Equal("int8", json.RootElement.GetProperty("precision").GetString());
        Assert.Equal(precision.Reduced, json.RootElement.GetProperty("measured").GetProperty("int8").GetProperty("value").GetDouble());
        Assert.True(json.RootElement.GetProperty("measured").GetProperty("bf16").GetProperty("accepted").GetBoolean());

        // It can be taken back or quantised again: nothing was lost.
        Assert.Equal(0, Run(Path.Combine(_models.Path, "taught", "v2"), "v3", taught.Data, [Precision.Bf16], maxLoss: 0.1).Code);
        Assert.Equal(Precision.Bf16, ModelArtifact.ReadManifest(Path.Combine(_models.Path, "taught", "v3")).Precision!.Precision);
    }

    [Fact]
    public void Run_Int8LosesTooMuch_TakesBf16()
    {
        var taught = new SelfTaught(outlier: true);
        Assert.Equal(0, Run(taught.Write(_models.Path), "v2", taught.Data, Both, maxLoss: 0.1).Code);
        Assert.Equal(Precision.Bf16, ModelArtifact.ReadManifest(Path.Combine(_models.Path, "taught", "v2")).Precision!.Precision);
    }

    [Fact]
    public void Run_EverythingLosesTooMuch_RefusesWithFiguresAndWritesNothing()
    {
        var taught = new SelfTaught(outlier: true);
        var run = Run(taught.Write(_models.Path), "v2", taught.Data, [Precision.Int8], maxLoss: 0);
        Assert.Equal(1, run.Code);
        Assert.Matches(@"int8 loses \d+\.\d\d % of ndcg@10 \(0\.\d{5} after 1\.00000 in float32\), more than the 0\.00 % of --max-loss", run.Error);
        Assert.Equal(["v1"], Directory.GetDirectories(Path.Combine(_models.Path, "taught")).Select(Path.GetFileName));
        using var json = JsonDocument.Parse(run.Output.Trim().Split('\n')[^1]);
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("version").ValueKind);
        Assert.False(json.RootElement.GetProperty("measured").GetProperty("int8").GetProperty("accepted").GetBoolean());
        Assert.InRange(json.RootElement.GetProperty("measured").GetProperty("int8").GetProperty("relativeLoss").GetDouble(), 0.1, 1);
    }

    [Fact]
    public void Run_VersionThereOrNoName_IsRefusedBeforeMeasuring()
    {
        var source = new SelfTaught(outlier: false).Write(_models.Path);
        Assert.Throws<ArtifactException>(() => QuantiseCommand.Run(source, "v1", NotReached, Both, 0.005, json: false, TextWriter.Null, TextWriter.Null, CancellationToken.None));
        Assert.Throws<ArtifactException>(() => QuantiseCommand.Run(source, "../v2", NotReached, Both, 0.005, json: false, TextWriter.Null, TextWriter.Null, CancellationToken.None));

        static EvaluationData NotReached() => throw new InvalidOperationException("the data was read");
    }

    [Fact]
    public void Evaluate_NoValidationTarget_IsRefused()
    {
        var taught = new SelfTaught(outlier: false);
        taught.Data.Dataset.Roles.AsSpan().Replace(SplitRole.Validation, SplitRole.None);
        var refusal = Assert.Throws<EvaluationException>(
            () => PrecisionEvaluator.Evaluate(taught.Artifact, taught.Data.Dataset, taught.Data.Tasks, taught.Data.Plan, Both, 0.005));
        Assert.Contains("validation", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-0.2, true)] // Did better.
    [InlineData(0.0, true)]
    [InlineData(0.005, true)]
    [InlineData(0.0051, false)]
    public void Chosen_LossAtTheBound_IsAccepted(double loss, bool accepted)
    {
        // A log-loss is negated, so that more is better: its loss is relative to its size.
        foreach (var float32 in new[] { 1.0, -1.0 })
        {
            var report = new PrecisionReport { Metric = "m", Float32 = float32, Measured = [new PrecisionManifest(Precision.Int8, "m", float32, float32 - loss, 0.005000001)] };
            Assert.Equal(accepted, report.Chosen is not null);
        }
    }

    private static (int Code, string Output, string Error) Run(string source, string version, EvaluationData data, Precision[] precisions, double maxLoss)
    {
        using StringWriter output = new(), error = new();
        var code = QuantiseCommand.Run(source, version, () => data, precisions, maxLoss, json: true, output, error, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }
}
