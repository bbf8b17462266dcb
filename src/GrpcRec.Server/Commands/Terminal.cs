using Spectre.Console;

namespace GrpcRec.Server.Commands;

/// <summary>The two streams that commands write to, for people.</summary>
static class Terminal
{
    /// <summary>Wide enough for our tables where nobody's window says otherwise: a file or a pipe.</summary>
    const int FileWidth = 140;

    public static IAnsiConsole Output { get; } = Create(Console.Out, Console.IsOutputRedirected);

    /// <summary>For commands whose standard output is one JSON object.</summary>
    public static IAnsiConsole Error { get; } = Create(Console.Error, Console.IsErrorRedirected);

    static IAnsiConsole Create(TextWriter writer, bool redirected)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Interactive = redirected ? InteractionSupport.No : InteractionSupport.Detect,
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
        });
        if (redirected) console.Profile.Width = FileWidth;
        return console;
    }
}
