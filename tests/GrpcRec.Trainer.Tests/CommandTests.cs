using System.Diagnostics;
using System.Text.Json;
using Google.Protobuf;
using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Worker;
using GrpcRec.V1;

namespace GrpcRec.Trainer.Tests;

/// <summary>The executable itself, as a person or the server starts it.</summary>
public sealed class CommandTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData("shop")]
    [InlineData("social")]
    [InlineData("music")]
    [InlineData("video")]
    public async System.Threading.Tasks.Task Synthesize_AnyWorld_WritesEventsTruthAndARequestThatFits(string world)
    {
        using var output = new ScratchDirectory();
        var run = await RunAsync("synthesize", "--world", world, "--seed", "3", "--users", "60", "--out", output.Path);
        Assert.True(run.ExitCode == 0, run.Error);

        var request = JsonParser.Default.Parse<TrainRequest>(await File.ReadAllTextAsync(Path.Combine(output.Path, "train.json")));
        Assert.Equal("events.csv", request.Data.Path);
        Assert.Contains(request.Tasks, task => task.Kind == V1.TaskKind.NextItem);
        Assert.Contains(request.Tasks, task => task.Kind == V1.TaskKind.Binary);
        Assert.Contains(request.Tasks, task => task.Kind == V1.TaskKind.Multiclass);
        using var truth = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(output.Path, "truth.json")));
        Assert.InRange(truth.RootElement.GetProperty("oracle").GetProperty("hr@10").GetDouble(), 0.05, 1);

        var sample = Path.Combine(output.Path, "user.json");
        var import = await RunAsync("import", Path.Combine(output.Path, "events.csv"), "--sample-user", sample, "--json");
        using var report = JsonDocument.Parse(import.Output.Trim().Split('\n')[^1]);
        Assert.Equal(0, report.RootElement.GetProperty("badRows").GetInt64());
        Assert.Equal(60, report.RootElement.GetProperty("sequences").GetInt64());
        using var user = JsonDocument.Parse(await File.ReadAllTextAsync(sample));
        Assert.Equal("u0001", user.RootElement.GetProperty("user").GetString());
        Assert.InRange(user.RootElement.GetProperty("sequence").GetProperty("events").GetArrayLength(), 6, 21);
    }

    [Fact]
    public async System.Threading.Tasks.Task Import_PastTheShareOfBadRows_FailsWithTheReasonAndNoStack()
    {
        using var input = new ScratchDirectory();
        var file = Path.Combine(input.Path, "events.csv");
        await File.WriteAllTextAsync(file, "user_id,item_id,timestamp_ms\nu1,i1,1\nu1,,2\nu1,i2,notatime\n");
        var run = await RunAsync("import", file);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("import:", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async System.Threading.Tasks.Task Evaluate_NoData_SaysSoAndNoStack()
    {
        using var empty = new ScratchDirectory();
        var run = await RunAsync("evaluate", "--benchmark", "b1a", "--data", empty.Path);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("evaluate: The benchmark's file \"ml-1m_sas.txt.gz\" is not in the data folder", run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("give a --benchmark, or a --model", "--data", "events.csv")]
    [InlineData("give a --benchmark, or a --model", "--model", "models/x/v1")]
    [InlineData("with --benchmark give --data", "--benchmark", "b1a")]
    [InlineData("none of --request", "--benchmark", "b1a", "--data", "data", "--mask-seen")]
    [InlineData("of a training", "--model", "models/x/v1", "--data", "events.csv", "--quick")]
    [InlineData("--one-state measures a model as it is", "--benchmark", "b2", "--data", "data", "--one-state")]
    [InlineData("evaluate: manifest.json is missing", "--model", "models/x/v1", "--data", "events.csv")]
    public async System.Threading.Tasks.Task Evaluate_WrongOptions_SaysWhichAndNoStack(string said, params string[] arguments)
    {
        var run = await RunAsync(["evaluate", .. arguments]);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains(said, run.Error, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("give the model's events", "models/x/v1", "--version", "v2")]
    [InlineData("--max-loss must be", "models/x/v1", "--version", "v2", "--data", "events.csv", "--max-loss", "1.5")]
    [InlineData("int4", "models/x/v1", "--version", "v2", "--data", "events.csv", "--precision", "int4")]
    [InlineData("neither --request nor --tasks", "models/x/v1", "--version", "v2", "--data", "data", "--benchmark", "b1a", "--tasks", "next=next_item")]
    [InlineData("quantise: manifest.json is missing", "models/x/v1", "--version", "v2", "--data", "events.csv")]
    public async System.Threading.Tasks.Task Quantise_WrongOptions_SaysWhichAndNoStack(string said, params string[] arguments)
    {
        var run = await RunAsync(["quantise", .. arguments]);
        Assert.Equal(1, run.ExitCode);
        Assert.Contains(said, run.Error, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("   at ", run.Error, StringComparison.Ordinal);
    }

    /// <summary>The way of a user: a world, its training, and the request that trained it.</summary>
    [Fact]
    public async System.Threading.Tasks.Task Quantise_OfARequest_WritesAVersionThatRunsInInt8()
    {
        using var output = new ScratchDirectory();
        var world = await RunAsync("synthesize", "--world", "shop", "--seed", "3", "--users", "60", "--out", output.Path);
        Assert.True(world.ExitCode == 0, world.Error);
        var requestFile = Path.Combine(output.Path, "train.json");
        var request = JsonParser.Default.Parse<TrainRequest>(await File.ReadAllTextAsync(requestFile));
        request.ModelName = "shop";
        request.Hyperparameters = new Hyperparameters { Epochs = 1 };
        var options = new WorkerOptions
        {
            SocketPath = "", ParentProcessId = 0, DataRoot = output.Path, ModelsDirectory = output.Path, CheckpointDirectory = Path.Combine(output.Path, "checkpoints"), ModelVersion = "v1",
        };
        new TrainingJob(request, options, TimeProvider.System, _ => { }).Run(_ => { }, CancellationToken.None);

        // Measured on its own events it repeats the metrics of its manifest, with intervals and baselines beside them.
        var evaluated = await RunAsync("evaluate", "--model", Path.Combine(output.Path, "shop", "v1"), "--request", requestFile, "--json");
        Assert.True(evaluated.ExitCode == 0, evaluated.Error);
        Assert.DoesNotContain("not the very events", evaluated.Error, StringComparison.Ordinal);
        using var report = JsonDocument.Parse(evaluated.Output.Trim().Split('\n')[^1]);
        var metrics = report.RootElement.GetProperty("metrics");
        foreach (var (metric, value) in ModelArtifact.ReadManifest(Path.Combine(output.Path, "shop", "v1")).Metrics)
            Assert.Equal(value, metrics.GetProperty(metric).GetProperty("mean").GetDouble());
        Assert.Equal(2, report.RootElement.GetProperty("ci").GetProperty("hr@10").GetArrayLength());
        Assert.Contains("mf", report.RootElement.GetProperty("baselines").EnumerateObject().Select(baseline => baseline.Name));

        var run = await RunAsync("quantise", Path.Combine(output.Path, "shop", "v1"), "--version", "v2", "--request", requestFile, "--max-loss", "0.99", "--json");
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.DoesNotContain("not the very events", run.Error, StringComparison.Ordinal);
        Assert.Equal(Precision.Int8, ModelArtifact.ReadManifest(Path.Combine(output.Path, "shop", "v2")).Precision!.Precision);
    }

    private static async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "grpcrec-trainer.dll"));
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        using var limit = new CancellationTokenSource(Limit);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(limit.Token);
        var error = process.StandardError.ReadToEndAsync(limit.Token);
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, await output, await error);
    }
}
