using System.CommandLine;
using GrpcRec.Trainer.Worker;

namespace GrpcRec.Trainer.Commands;

/// <summary><c>worker</c>: one training job for the server that started this process.</summary>
static class WorkerCommand
{
    public static Command Create()
    {
        var socket = new Option<string>("--socket") { Description = "Unix socket to listen on.", Required = true };
        var parent = new Option<int>("--parent") { Description = "Process id of the server; the worker ends with it.", Required = true };
        var jobDirectory = new Option<DirectoryInfo>("--job-dir") { Description = "Where checkpoints go.", Required = true };
        var models = new Option<DirectoryInfo>("--models") { Description = "The registry's directory; the artefact goes below it.", Required = true };
        var version = new Option<string>("--version") { Description = "Version to make.", Required = true };
        var dataRoot = new Option<DirectoryInfo>("--data-root") { Description = "Directory that data paths are relative to.", Required = true };
        var command = new Command("worker", "Runs one training job over a private socket.") { socket, parent, jobDirectory, models, version, dataRoot };
        command.Hidden = true;
        command.SetAction((parsed, cancellation) => WorkerHost.RunAsync(
            new WorkerOptions
            {
                SocketPath = parsed.GetRequiredValue(socket),
                ParentProcessId = parsed.GetRequiredValue(parent),
                CheckpointDirectory = Path.Combine(parsed.GetRequiredValue(jobDirectory).FullName, "checkpoints"),
                ModelsDirectory = parsed.GetRequiredValue(models).FullName,
                ModelVersion = parsed.GetRequiredValue(version),
                DataRoot = parsed.GetRequiredValue(dataRoot).FullName,
            },
            cancellation));
        return command;
    }
}
