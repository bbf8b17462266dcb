using System.CommandLine;
using System.Globalization;
using Grpc.Core;
using GrpcRec.Engine.Models;
using GrpcRec.Export;
using GrpcRec.Serving.Registry;
using GrpcRec.V1;
using Spectre.Console;

namespace GrpcRec.Server.Commands;

/// <summary><c>grpcrec export</c>: a model as one file for other runtimes, from a directory or from a running server.</summary>
static class ExportCommand
{
    public static Command Create()
    {
        var model = new Argument<string>("model") { Description = "A version's directory, or NAME or NAME/VERSION; without a version the active one." };
        var format = new Option<string>("--format")
        {
            Description = "onnx: the model as a graph, for ONNX Runtime or Triton. safetensors: all weights by their names.",
            DefaultValueFactory = _ => "onnx",
        };
        format.AcceptOnlyFromAmong([.. ModelExport.Formats.Keys]);
        var output = new Option<string>("--output") { Description = "The file to write.", Required = true };
        var force = new Option<bool>("--force") { Description = "Replace the file if it exists." };
        var models = new Option<string>("--models") { Description = "Directory of model versions, where a NAME is looked up without --address.", DefaultValueFactory = _ => "models" };
        var address = ServerChannel.AddressOption();
        var authority = ServerChannel.AuthorityOption();
        var command = new Command("export", "Write a model as ONNX or safetensors.") { model, format, output, force, models, address, authority };
        command.SetAction(async (parsed, cancellation) =>
        {
            try
            {
                var source = parsed.GetRequiredValue(model);
                var file = parsed.GetRequiredValue(output);
                var server = File.Exists(Path.Combine(source, ModelArtifact.ManifestFile)) ? null : parsed.GetValue(address);
                var bytes = await ExportFile.WriteAsync(file, parsed.GetValue(force), server is null
                    ? stream => WriteLocalAsync(source, parsed.GetRequiredValue(models), ModelExport.Formats[parsed.GetRequiredValue(format)], stream)
                    : stream => ReceiveAsync(server, parsed.GetValue(authority), source, parsed.GetRequiredValue(format), stream, cancellation));
                Terminal.Output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{file}: {bytes / 1e6:0.0} MB, {parsed.GetRequiredValue(format)}"));
                return 0;
            }
            catch (RpcException exception)
            {
                await Console.Error.WriteLineAsync(ServerChannel.Explain(exception));
                return 1;
            }
            catch (Exception exception) when (exception is ExportException or ArtifactException or InvalidDataException)
            {
                await Console.Error.WriteLineAsync(exception.Message);
                return 1;
            }
            catch (ServerOptionsException exception)
            {
                await Console.Error.WriteLineAsync(exception.Message);
                return 2;
            }
        });
        return command;
    }

    static Task WriteLocalAsync(string source, string models, ExportFormat format, Stream stream)
    {
        ModelExport.Write(ModelArtifact.Load(Directory(source, models)), format, stream);
        return Task.CompletedTask;
    }

    static async Task ReceiveAsync(string address, FileInfo? authority, string source, string format, Stream stream, CancellationToken cancellation)
    {
        var (name, version) = Split(source);
        using var channel = ServerChannel.Open(address, authority);
        var request = new ExportModelRequest { Model = new ModelSelector { Name = name, Version = version ?? "" }, Format = format };
        using var call = new ModelService.ModelServiceClient(channel).ExportModel(request, cancellationToken: cancellation);
        await foreach (var part in call.ResponseStream.ReadAllAsync(cancellation))
            await stream.WriteAsync(part.Chunk.Memory, cancellation);
    }

    /// <summary>Of a version: the argument itself, or where the models directory has it.</summary>
    static string Directory(string source, string models)
    {
        if (File.Exists(Path.Combine(source, ModelArtifact.ManifestFile))) return source;
        var (name, version) = Split(source);
        var model = Path.Combine(models, name);
        version ??= ActivePointer.Read(model)?.Active
            ?? throw new ServerOptionsException($"\"{source}\" is neither a directory with a {ModelArtifact.ManifestFile} nor a model with an active version in \"{models}\": name a version as {name}/VERSION, or set --models or --address.");
        return Path.Combine(model, version);
    }

    static (string Name, string? Version) Split(string source)
    {
        var parts = source.Split('/');
        if (parts.Length > 2 || !ModelNames.IsModel(parts[0]) || (parts.Length == 2 && !ModelNames.IsVersion(parts[1])))
            throw new ServerOptionsException($"\"{source}\" is neither a directory with a {ModelArtifact.ManifestFile} nor NAME or NAME/VERSION of a model.");
        return (parts[0], parts.Length == 2 ? parts[1] : null);
    }
}
