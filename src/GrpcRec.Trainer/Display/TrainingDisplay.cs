using GrpcRec.Training.Learning;
using Spectre.Console;

namespace GrpcRec.Trainer.Display;

/// <summary>Progress of a training run on standard error: a bar on a terminal, a line for each epoch elsewhere.</summary>
static class TrainingDisplay
{
    /// <summary>Standard output belongs to results.</summary>
    public static IAnsiConsole Console { get; } = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(System.Console.Error) });

    public static T Run<T>(string title, Func<IProgress<TrainingProgressReport>, T> work)
    {
        if (System.Console.IsErrorRedirected)
            return work(new LinePerEpoch(title));
        return Console.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context => work(new Bar(context.AddTask(Markup.Escape(title)), title)));
    }

    /// <summary>For work whose length nobody knows: counts up.</summary>
    public static T Count<T>(string unit, Func<IProgress<long>, T> work)
    {
        if (System.Console.IsErrorRedirected)
            return work(new Counter(_ => { }));
        return Console.Status().Start(unit, status => work(new Counter(count => status.Status($"{count:N0} {unit}"))));
    }

    /// <summary>For several pieces of work one after the other: each with the share of it that is done, 0…1.</summary>
    public static TResult Shares<TPiece, TResult>(Func<TPiece, string> title, Func<IProgress<(TPiece Piece, double Share)>, TResult> work)
        where TPiece : struct
    {
        if (System.Console.IsErrorRedirected)
            return work(new LinePerPiece<TPiece>(title));
        return Console.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(context => work(new BarPerPiece<TPiece>(context, title)));
    }

    private static string Titled(string title, TrainingProgressReport report) => report.SingleTask is null ? title : $"{title}, {report.SingleTask} alone";

    private static string Describe(TrainingProgressReport report)
    {
        var validation = string.Join(" ", report.ValidationMetrics
            .Where(metric => metric.Key is "hr@10" or "ndcg@10" || metric.Key.StartsWith("auc/", StringComparison.Ordinal))
            .Select(metric => $"{metric.Key} {metric.Value:F4}"));
        return $"epoch {report.Epoch}/{report.Epochs} loss {report.Loss:F4} {validation} best {report.BestEpoch}";
    }

    private sealed class Counter(Action<long> show) : IProgress<long>
    {
        public void Report(long value) => show(value);
    }

    private sealed class LinePerPiece<TPiece>(Func<TPiece, string> title) : IProgress<(TPiece Piece, double Share)>
        where TPiece : struct
    {
        private TPiece? _last;

        public void Report((TPiece Piece, double Share) value)
        {
            if (value.Piece.Equals(_last))
                return;
            _last = value.Piece;
            System.Console.Error.WriteLine(title(value.Piece));
        }
    }

    private sealed class BarPerPiece<TPiece>(ProgressContext context, Func<TPiece, string> title) : IProgress<(TPiece Piece, double Share)>
        where TPiece : struct
    {
        private TPiece? _last;
        private ProgressTask? _bar;

        public void Report((TPiece Piece, double Share) value)
        {
            if (!value.Piece.Equals(_last))
            {
                _bar?.Value(_bar.MaxValue);
                _last = value.Piece;
                _bar = context.AddTask(Markup.Escape(title(value.Piece)), maxValue: 1);
            }

            _bar!.Value = value.Share;
        }
    }

    private sealed class Bar(ProgressTask task, string title) : IProgress<TrainingProgressReport>
    {
        public void Report(TrainingProgressReport value)
        {
            task.MaxValue = Math.Max(1, value.Steps);
            task.Value = value.Step;
            task.Description = Markup.Escape($"{Titled(title, value)} · {value.Stage} · {Describe(value)}");
        }
    }

    private sealed class LinePerEpoch(string title) : IProgress<TrainingProgressReport>
    {
        private (string?, TrainingStage, int) _last;

        public void Report(TrainingProgressReport value)
        {
            if ((value.SingleTask, value.Stage, value.Epoch) == _last)
                return;
            _last = (value.SingleTask, value.Stage, value.Epoch);
            System.Console.Error.WriteLine($"{Titled(title, value)} · {value.Stage} · {Describe(value)}");
        }
    }
}
