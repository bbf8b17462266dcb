using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using GrpcRec.Benchmarks.Suites;
using TorchSharp;

namespace GrpcRec.Benchmarks.Training;

/// <summary>
/// One side of the comparison in a process of its own: the C library reads its allocator's settings when a process starts, and libtorch keeps
/// what it once took.
/// </summary>
internal static class TrainingProcess
{
    public const string CommandName = "train-side";
    private const string Tunables = "GLIBC_TUNABLES", HugePages = "glibc.malloc.hugetlb=1", WaitPolicy = "OMP_WAIT_POLICY";

    /// <summary>What the parent runs.</summary>
    public static Command Create()
    {
        var side = new Argument<TrainingSide>("side");
        var threads = new Argument<int>("threads");
        var steps = new Argument<int>("steps");
        var command = new Command(CommandName, "One side of the train suite; run by it.") { side, threads, steps };
        command.Hidden = true;
        command.SetAction(parsed =>
        {
            torch.set_num_threads(parsed.GetValue(threads));
            var data = TrainingTask.Load();
            var measured = parsed.GetValue(side) == TrainingSide.Ours ? OurTraining.Run(data) : PlainTraining.Run(data, parsed.GetValue(steps));
            Console.Out.WriteLine(JsonSerializer.Serialize(measured));
            return 0;
        });
        return command;
    }

    /// <param name="hugePages">The allocator's setting; false: the system's default.</param>
    /// <param name="steps">See <see cref="PlainTraining.Run"/>.</param>
    /// <exception cref="BenchmarkException">It failed, and why.</exception>
    public static TrainingMeasurement Run(TrainingSide side, int threads, bool hugePages, int steps = 0)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (Path.GetFileNameWithoutExtension(start.FileName) == "dotnet")
            start.ArgumentList.Add(typeof(TrainingProcess).Assembly.Location);
        foreach (var argument in (string[])[CommandName, side.ToString(), threads.ToString(CultureInfo.InvariantCulture), steps.ToString(CultureInfo.InvariantCulture)])
            start.ArgumentList.Add(argument);
        start.Environment["OMP_NUM_THREADS"] = threads.ToString(CultureInfo.InvariantCulture);
        // Ours as the server starts a job (TrainerEnvironment). The straightforward side loses by it: it waits for threads far more often.
        start.Environment.Remove(WaitPolicy);
        if (side == TrainingSide.Ours)
            start.Environment[WaitPolicy] = "PASSIVE";
        start.Environment.Remove(Tunables);
        if (hugePages)
            start.Environment[Tunables] = HugePages;
        using var process = Process.Start(start) ?? throw new BenchmarkException($"{start.FileName} did not start");
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new BenchmarkException($"training ({side}) ended with {process.ExitCode}: {error.Result.Trim()}");
        return JsonSerializer.Deserialize<TrainingMeasurement>(output.Trim().Split('\n')[^1])!;
    }
}
