using System.CommandLine;
using GrpcRec.Benchmarks.Machine;
using GrpcRec.Benchmarks.Reports;
using GrpcRec.Benchmarks.Suites;
using Spectre.Console;

namespace GrpcRec.Benchmarks;

/// <summary><c>grpcrec bench</c>: a subcommand for each suite, all with the same options.</summary>
internal static class BenchCommand
{
    private const int DefaultRepeats = 9;

    private static readonly Option<bool> Json = new("--json") { Description = "Print one JSON object on the last line of standard output instead of a table." };

    private static readonly Option<int> Threads = new("--threads")
    {
        Description = $"Threads of every contestant: 1 to {BenchmarkContext.MaxThreads}.",
        DefaultValueFactory = _ => 1,
    };

    private static readonly Option<int> Repeats = new("--repeats")
    {
        Description = $"Rounds in which the contestants take turns: 1 to {BenchmarkContext.MaxRepeats}. Medians are taken over them.",
        DefaultValueFactory = _ => DefaultRepeats,
    };

    private static readonly Option<string> Filter = new("--filter")
    {
        Description = "Only rows whose name contains this text.",
        DefaultValueFactory = _ => "",
    };

    public static RootCommand Create()
    {
        Threads.Validators.Add(result => Bound(result, Threads, BenchmarkContext.MaxThreads));
        Repeats.Validators.Add(result => Bound(result, Repeats, BenchmarkContext.MaxRepeats));
        var root = new RootCommand("Measures GrpcRec beside what a user would pick instead, on the same weights, in one run. Figures of other runs or machines do not compare: ratios do.");
        foreach (var suite in BenchmarkSuites.All)
            root.Subcommands.Add(Of(suite));
        root.Subcommands.Add(Training.TrainingProcess.Create());
        return root;
    }

    private static Command Of(IBenchmarkSuite suite)
    {
        var command = new Command(suite.Name, $"{suite.Summary} Rows: {string.Join(", ", suite.RowNames)}.") { Json, Threads, Repeats, Filter };
        if (suite is Encoding.EngineSuite)
        {
            var engine = new Option<string>("--engine") { Description = "cpu; or cuda, on this machine's device.", DefaultValueFactory = _ => "cpu" };
            engine.AcceptOnlyFromAmong("cpu", "cuda");
            command.Options.Add(engine);
            command.SetAction(parsed => Run(
                parsed.GetValue(engine) == "cuda" ? new Encoding.CudaEngineSuite() : suite, parsed.GetValue(Json), parsed.GetValue(Threads), parsed.GetValue(Repeats), parsed.GetValue(Filter) ?? ""));
            return command;
        }

        command.SetAction(parsed => Run(suite, parsed.GetValue(Json), parsed.GetValue(Threads), parsed.GetValue(Repeats), parsed.GetValue(Filter) ?? ""));
        return command;
    }

    private static int Run(IBenchmarkSuite suite, bool json, int threads, int repeats, string filter)
    {
        var context = new BenchmarkContext(threads, repeats, filter, line => Console.Error.WriteLine(line));
        if (!context.WantsAny(suite.RowNames))
        {
            Console.Error.WriteLine($"grpcrec bench {suite.Name}: no row's name contains '{filter}'. Rows: {string.Join(", ", suite.RowNames)}");
            return 1;
        }

        context.Say(MachineDescription.Text);
        var rows = new List<BenchmarkRow>();
        var status = 0;
        try
        {
            foreach (var row in suite.Run(context))
            {
                rows.Add(row);
                context.Say(FormattableString.Invariant($"{row.Name}: {row.Ratio:F2}, ours {row.Ours:G4} {row.Unit}, theirs {row.Theirs:G4} {row.Unit} ({row.Against})"));
            }
        }
        catch (BenchmarkException failure)
        {
            // What was measured before is not lost.
            Console.Error.WriteLine($"grpcrec bench {suite.Name}: {failure.Message}");
            status = 1;
        }

        var report = new BenchmarkReport(suite.Name, MachineDescription.Text, threads, rows);
        if (json)
            Console.Out.WriteLine(report.ToJson());
        else
            report.WriteTable(AnsiConsole.Console);
        return status;
    }

    private static void Bound(System.CommandLine.Parsing.OptionResult result, Option<int> option, int most)
    {
        var value = result.GetValue(option);
        if (value < 1 || value > most)
            result.AddError($"{option.Name} is {value}; 1 to {most} are allowed");
    }
}
