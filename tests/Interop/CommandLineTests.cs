using System.Text.Json;
using GrpcRec.Server.Jobs;

namespace GrpcRec.Interop.Tests;

/// <summary>The executable `grpcrec`, as a newcomer runs it.</summary>
public sealed class CommandLineTests
{
    [SkippableFact]
    public async Task Demo_Once_TrainsServesAndPrintsOneJsonObject()
    {
        using var result = await DemoAsync("--world", "shop");
        var root = result.RootElement;
        Assert.True(root.GetProperty("ok").GetBoolean());
        Assert.Equal(10, root.GetProperty("rank").GetProperty("items").GetArrayLength());
        Assert.NotEqual(0, root.GetProperty("score").GetProperty("candidates").GetArrayLength());
        Assert.InRange(root.GetProperty("metrics").GetProperty("hr@10").GetDouble(), 0, 1);
        Assert.NotEqual(JsonValueKind.Undefined, root.GetProperty("truth").ValueKind);
        Assert.NotEqual(JsonValueKind.Undefined, root.GetProperty("baselines").ValueKind);
    }

    [SkippableFact]
    public async Task Demo_OwnFile_IsTrainedOnAndAnswered()
    {
        var folder = Directory.CreateTempSubdirectory("grpcrec-demo-test-");
        try
        {
            // Twelve users walk round a ring of nine items, each from a place of their own.
            var file = Path.Combine(folder.FullName, "ring.jsonl");
            await File.WriteAllLinesAsync(file, Enumerable.Range(0, 12 * 10).Select(i => $$"""{"user_id":"u{{i / 10}}","item_id":"i{{(i / 10 + i % 10) % 9}}","timestamp_ms":{{i}}}"""));
            using var result = await DemoAsync("--data", file);
            Assert.True(result.RootElement.GetProperty("ok").GetBoolean());
            Assert.Equal(9, result.RootElement.GetProperty("rank").GetProperty("items").GetArrayLength());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [SkippableFact]
    public async Task Demo_NoSuchFile_SaysSoAndFails()
    {
        var run = await RunAsync("demo", "--once", "--data", "/nowhere/events.csv");
        Assert.NotEqual(0, run.ExitCode);
        using var result = JsonDocument.Parse(run.Output.Trim().Split('\n')[^1]);
        Assert.False(result.RootElement.GetProperty("ok").GetBoolean());
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }

    static async Task<JsonDocument> DemoAsync(params string[] arguments)
    {
        var run = (await RunAsync(["demo", "--once", "--epochs", "1", .. arguments])).MustSucceed();
        return JsonDocument.Parse(run.Output.Trim().Split('\n')[^1]);
    }

    static Task<ExternalProgram> RunAsync(params string[] arguments)
    {
        TrainerProgram trainer = Installed.Trainer;
        return ExternalProgram.RunAsync("dotnet", [Path.Combine(AppContext.BaseDirectory, "grpcrec.dll"), .. arguments], ("GRPCREC_TRAINER", trainer.LeadingArguments is [var assembly, ..] ? assembly : trainer.FileName));
    }
}
