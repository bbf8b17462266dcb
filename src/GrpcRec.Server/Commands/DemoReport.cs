using System.Globalization;
using GrpcRec.V1;
using Spectre.Console;

namespace GrpcRec.Server.Commands;

/// <summary>A demo's result as a person reads it: this user, what comes next, how sure, and how good that is.</summary>
sealed class DemoReport(IAnsiConsole console)
{
    const int ShownHistory = 8;

    public void Print(DemoResult result)
    {
        console.WriteLine();
        console.Write(new Rule($"[bold]User {Markup.Escape(result.User.Id)}[/]").LeftJustified());
        PrintHistory(result.User);
        PrintNext(result);
        PrintTasks(result);
        console.Write(new Rule("[bold]How good is that?[/]").LeftJustified());
        console.Write(MetricTable.Build(result.Training.Metrics, MetricTable.ByBaseline(result.Training.BaselineMetrics), result.Oracle));
        var model = result.Training.Model;
        console.WriteLine($"Model {model.Name} {model.Version}: {result.Model.CatalogSize:N0} items, {result.Model.ParameterCount:N0} numbers, all in {result.Elapsed.TotalSeconds:0} s.");
    }

    void PrintHistory(DemoUser user)
    {
        var table = new Table().RoundedBorder().Title("What this user did").AddColumns("When", "What", "Item");
        if (user.History.Count > ShownHistory) table.AddRow("…", "", $"{user.History.Count - ShownHistory} events before");
        foreach (var happened in user.History.TakeLast(ShownHistory))
            table.AddRow(new Text(When(happened)), new Text(happened.Behavior), new Text(happened.ItemId));
        console.Write(table);
    }

    void PrintNext(DemoResult result)
    {
        var names = Names(result.Rank.Items.FirstOrDefault()?.Predictions);
        var table = new Table().RoundedBorder().Title("What comes next (Rank)").AddColumn("#").AddColumn("Item").AddColumn(new TableColumn("Score").RightAligned());
        foreach (var name in names) table.AddColumn(new TableColumn(new Text(name)).RightAligned());
        for (var i = 0; i < result.Rank.Items.Count; i++)
        {
            var item = result.Rank.Items[i];
            var really = item.ItemId == result.User.Next.ItemId;
            var style = really ? new Style(Color.Green, decoration: Decoration.Bold) : Style.Plain;
            var cells = new List<Text>
            {
                new((i + 1).ToString(CultureInfo.InvariantCulture), style), new(really ? item.ItemId + "  ← it did" : item.ItemId, style), new(Number(item.Score), style),
            };
            cells.AddRange(names.Select(name => new Text(Value(item.Predictions.FirstOrDefault(prediction => prediction.Task == name), result.Model), style)));
            table.AddRow(cells);
        }
        console.Write(table);
        if (result.Rank.Items.All(item => item.ItemId != result.User.Next.ItemId))
            console.WriteLine($"What really came next was {result.User.Next.ItemId} ({result.User.Next.Behavior}), not among the first {result.Rank.Items.Count}.");
    }

    void PrintTasks(DemoResult result)
    {
        var names = Names(result.Score.Candidates.FirstOrDefault()?.Predictions);
        var table = new Table().RoundedBorder().Title("How likely is each outcome (Score)").AddColumn("Item");
        foreach (var name in names) table.AddColumn(new TableColumn(new Text(name)).RightAligned());
        foreach (var candidate in result.Score.Candidates)
        {
            var cells = new List<Text> { new(candidate.ItemId) };
            cells.AddRange(names.Select(name => new Text(Value(candidate.Predictions.FirstOrDefault(prediction => prediction.Task == name), result.Model))));
            table.AddRow(cells);
        }
        console.Write(table);
        foreach (var prediction in result.Score.SequencePredictions)
            console.WriteLine($"{prediction.Task}: {Value(prediction, result.Model)}");
    }

    public void PrintCalls(string address, DemoUser user, int k)
    {
        var target = new Uri(address).Authority;
        var events = string.Join(",", user.History.TakeLast(3).Select(happened => $"{{\"item_id\":\"{happened.ItemId}\",\"behavior\":\"{happened.Behavior}\"}}"));
        var rank = $"{{\"user\":{{\"sequence\":{{\"events\":[{events}]}}}},\"k\":{k}}}";
        var score = $"{{\"user\":{{\"sequence\":{{\"events\":[{events}]}}}},\"candidate_item_ids\":[\"{user.Next.ItemId}\"]}}";
        console.Write(new Rule("[bold]Try it: the server stays up until Ctrl-C[/]").LeftJustified());
        // Written without wrapping: these lines are there to be pasted.
        var lines = console.Profile.Out.Writer;
        lines.WriteLine($"grpcurl -plaintext {target} list");
        lines.WriteLine($"grpcurl -plaintext -d '{rank}' {target} grpcrec.v1.RecommendationService/Rank");
        lines.WriteLine($"grpcurl -plaintext -d '{score}' {target} grpcrec.v1.RecommendationService/Score");
        lines.WriteLine($"buf curl --protocol grpc --http2-prior-knowledge -d '{rank}' http://{target}/grpcrec.v1.RecommendationService/Rank");
        lines.Flush();
    }

    static string[] Names(IEnumerable<TaskPrediction>? predictions) => predictions?.Select(prediction => prediction.Task).ToArray() ?? [];

    static string Value(TaskPrediction? prediction, Model model)
    {
        switch (prediction?.ValueCase)
        {
            case TaskPrediction.ValueOneofCase.Probability:
                return prediction.Probability.ToString("0.0 %", CultureInfo.InvariantCulture);
            case TaskPrediction.ValueOneofCase.Logit:
                return Number(prediction.Logit);
            case TaskPrediction.ValueOneofCase.Classes:
                var probabilities = prediction.Classes.Probabilities;
                var best = probabilities.IndexOf(probabilities.Max());
                var names = model.Tasks.First(task => task.Name == prediction.Task).ClassNames;
                return $"{(best < names.Count ? names[best] : best.ToString(CultureInfo.InvariantCulture))} {probabilities[best].ToString("0 %", CultureInfo.InvariantCulture)}";
            default:
                return "";
        }
    }

    static string When(Event happened) => happened.TimestampMs <= 0 ? ""
        : DateTimeOffset.FromUnixTimeMilliseconds(happened.TimestampMs).ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture);

    static string Number(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
}
