using System.CommandLine;
using System.Globalization;
using Grpc.Core;
using GrpcRec.V1;
using Spectre.Console;

namespace GrpcRec.Server.Commands;

/// <summary><c>grpcrec models</c>: what a running server holds, and which version answers.</summary>
static class ModelsCommand
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    public static Command Create()
    {
        var address = ServerChannel.AddressOption();
        var authority = ServerChannel.AuthorityOption();
        address.Recursive = authority.Recursive = true;
        address.DefaultValueFactory = _ => Environment.GetEnvironmentVariable("GRPCREC_ADDRESS") ?? ServerOptions.DefaultListen;

        var list = new Command("list", "Every model and version, the newest first.");
        SetAction(list, async (client, _, deadline, cancellation) =>
        {
            var response = await client.ListModelsAsync(new(), null, deadline, cancellation);
            Print(response.Models);
        });

        var name = new Argument<string>("name") { Description = "Name of the model." };
        var version = new Argument<string>("version") { Description = "Its version, as `models list` gives it." };
        var activate = new Command("activate", "Let a version answer; the one before stays warm for `rollback`.") { name, version };
        SetAction(activate, async (client, parsed, deadline, cancellation) =>
        {
            var request = new ActivateVersionRequest { Model = new() { Name = parsed.GetRequiredValue(name), Version = parsed.GetRequiredValue(version) } };
            var response = await client.ActivateVersionAsync(request, null, deadline, cancellation);
            PrintActive(response.Model, response.PreviousVersion);
        });

        var rolled = new Argument<string?>("name") { Description = "Name of the model. Default: the server's default model.", Arity = ArgumentArity.ZeroOrOne };
        var rollback = new Command("rollback", "Go back to the version that answered before.") { rolled };
        SetAction(rollback, async (client, parsed, deadline, cancellation) =>
        {
            var response = await client.RollbackAsync(new RollbackRequest { Name = parsed.GetValue(rolled) ?? "" }, null, deadline, cancellation);
            PrintActive(response.Model, response.PreviousVersion);
        });

        return new Command("models", "List a running server's models, activate a version, roll back.") { list, activate, rollback, address, authority };

        void SetAction(Command command, Func<ModelService.ModelServiceClient, ParseResult, DateTime, CancellationToken, Task> act) =>
            command.SetAction(async (parsed, cancellation) =>
            {
                try
                {
                    using var channel = ServerChannel.Open(parsed.GetValue(address)!, parsed.GetValue(authority));
                    await act(new(channel), parsed, TimeProvider.System.GetUtcNow().Add(Deadline).UtcDateTime, cancellation);
                    return 0;
                }
                catch (RpcException exception)
                {
                    await Console.Error.WriteLineAsync(ServerChannel.Explain(exception));
                    return 1;
                }
                catch (ServerOptionsException exception)
                {
                    await Console.Error.WriteLineAsync(exception.Message);
                    return 2;
                }
            });
    }

    static void PrintActive(Model model, string previous) => Terminal.Output.WriteLine(
        previous.Length == 0 ? $"{model.Model_.Name} {model.Model_.Version} is active." : $"{model.Model_.Name} {model.Model_.Version} is active; before: {previous}.");

    static void Print(IEnumerable<Model> models)
    {
        var table = new Table().RoundedBorder().AddColumns("Model", "Version", "State", "Trained", "Items", "Tasks", "Metrics");
        foreach (var model in models)
            table.AddRow(
                new Text(model.Model_.Name),
                new Text(model.Model_.Version),
                new Text(model.Error.Length > 0 ? $"{model.State}: {model.Error}" : model.State.ToString()),
                new Text(model.CreatedAt?.ToDateTimeOffset().ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture) ?? ""),
                new Text(model.CatalogSize.ToString("N0", CultureInfo.InvariantCulture)),
                new Text(string.Join(", ", model.Tasks.Select(task => task.Name))),
                new Text(string.Join("  ", MetricTable.Headlines(model.Metrics.Keys)
                    .Select(metric => $"{metric} {model.Metrics[metric].ToString("0.000", CultureInfo.InvariantCulture)}"))));
        if (table.Rows.Count == 0) Terminal.Output.WriteLine("The server holds no model. `grpcrec train` makes one.");
        else Terminal.Output.Write(table);
    }
}
