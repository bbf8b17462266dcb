using System.CommandLine;

namespace GrpcRec.Server.Commands;

/// <summary><c>grpcrec serve</c>: answers until it is told to stop.</summary>
public static class ServeCommand
{
    public static Command Create()
    {
        var options = new ServeOptions();
        var command = new Command("serve", "Serve the models of a directory over gRPC, with health and reflection. Every option can also come from the environment: --queue-capacity is GRPCREC_QUEUE_CAPACITY.");
        options.AddTo(command);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            try
            {
                var configuration = new ConfigurationBuilder().AddEnvironmentVariables(ServeOptions.EnvironmentPrefix).Build();
                await using var server = await ServerHost.StartAsync(options.Read(parsed, configuration), cancellationToken);
                await server.WaitAsync(cancellationToken);
                return 0;
            }
            catch (ServerOptionsException exception)
            {
                await Console.Error.WriteLineAsync(exception.Message);
                return 2;
            }
        });
        return command;
    }
}
