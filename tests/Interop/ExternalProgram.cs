using System.Diagnostics;

namespace GrpcRec.Interop.Tests;

/// <summary>What a program that is not ours said, and how it ended.</summary>
sealed record ExternalProgram(int ExitCode, string Output, string Errors)
{
    static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    public static async Task<ExternalProgram> RunAsync(string program, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(limit.Token);
            var errors = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return new(process.ExitCode, await output, await errors);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"{program} did not end within {Limit}.");
        }
    }

    /// <summary>Fails with everything that it said unless it ended well.</summary>
    public ExternalProgram MustSucceed()
    {
        Assert.True(ExitCode == 0, $"exit code {ExitCode}\n{Output}\n{Errors}");
        return this;
    }
}
