using System.CommandLine;
using GrpcRec.Server.Commands;

var root = new RootCommand("GrpcRec: learns from what users do and tells what they will do next, over gRPC.")
{
    DemoCommand.Create(),
    ServeCommand.Create(),
    TrainCommand.Create(),
    ModelsCommand.Create(),
    ExportCommand.Create(),
};
foreach (var command in TrainerCommands.Create())
    root.Subcommands.Add(command);

// These are the training worker's own, with its own options and help.
if (TrainerCommands.Handles(args))
    return await TrainerCommands.RunAsync(args);

// The command's own drain timeout bounds how long a stop takes; the library's two seconds would cut requests off.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) });
