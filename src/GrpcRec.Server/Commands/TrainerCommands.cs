using System.CommandLine;
using System.Diagnostics;
using System.Runtime.InteropServices;
using GrpcRec.Server.Jobs;

namespace GrpcRec.Server.Commands;

/// <summary>
/// Commands that the training worker carries out: their arguments go to it as they are, its standard streams are ours, its exit code is ours.
/// </summary>
static partial class TrainerCommands
{
    const int Interrupt = 2;
    const int Terminate = 15;
    const int NotInstalled = 2;

    static readonly (string Name, string Description)[] All =
    [
        ("import", "Read a file of events and report what would become of every row. See `grpcrec import --help`."),
        ("synthesize", "Write a synthetic world (shop, social, music or video) whose truth is known: events.csv, truth.json, train.json."),
        ("evaluate", "Train and measure on a benchmark (b1a, b1b, b1c, b2, b3, b4), or measure a model on your own events, beside the baselines. See `grpcrec evaluate --help`."),
        ("tune", "Search settings for a benchmark or for own events on the validation split, by successive halving. See `grpcrec tune --help`."),
        ("quantise", "Measure a model in bf16 and int8 on its validation data and store the fastest that loses little enough as a new version. See `grpcrec quantise --help`."),
    ];

    /// <summary>For `--help`: the commands are run by <see cref="RunAsync"/>, past our parser.</summary>
    public static IEnumerable<Command> Create() => All.Select(command =>
        new Command(command.Name, command.Description) { TreatUnmatchedTokensAsErrors = false });

    public static bool Handles(string[] arguments) => arguments.Length > 0 && All.Any(command => command.Name == arguments[0]);

    /// <returns>The worker's exit code.</returns>
    public static async Task<int> RunAsync(IEnumerable<string> arguments)
    {
        if (TrainerLocator.Find(null, out var missing) is not { } program)
        {
            await Console.Error.WriteLineAsync(missing);
            return NotInstalled;
        }
        using var process = Process.Start(StartInfo(program, arguments))!;

        // Ctrl-C reaches the worker by itself, being in the same terminal group: here it must only not end us first. A signal to us alone is passed on.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            _ = Kill(process.Id, Terminate);
        });
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    /// <summary>Runs a command of the worker for one of ours: what it prints goes to our standard error.</summary>
    /// <exception cref="ServerOptionsException">It is not installed, or it failed; it has said why.</exception>
    public static async Task RunInsideAsync(IReadOnlyList<string> arguments, CancellationToken cancellation)
    {
        if (TrainerLocator.Find(null, out var missing) is not { } program) throw new ServerOptionsException(missing);
        var start = StartInfo(program, arguments);
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        using var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, e) => { if (e.Data is not null) Console.Error.WriteLine(e.Data); };
        process.ErrorDataReceived += (_, e) => { if (e.Data is not null) Console.Error.WriteLine(e.Data); };
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        try
        {
            await process.WaitForExitAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            _ = Kill(process.Id, Interrupt);
            await process.WaitForExitAsync(CancellationToken.None);
            throw;
        }
        if (process.ExitCode != 0) throw new ServerOptionsException($"grpcrec-trainer {arguments[0]} ended with exit code {process.ExitCode}.");
    }

    static ProcessStartInfo StartInfo(TrainerProgram program, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(program.FileName) { UseShellExecute = false };
        foreach (var argument in program.LeadingArguments.Concat(arguments)) start.ArgumentList.Add(argument);
        TrainerEnvironment.Apply(start.Environment);
        return start;
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
