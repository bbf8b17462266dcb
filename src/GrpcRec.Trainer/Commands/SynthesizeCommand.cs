using System.CommandLine;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using GrpcRec.Trainer.Mapping;
using GrpcRec.Training.Worlds;
using GrpcRec.V1;
using Task = System.Threading.Tasks.Task;

namespace GrpcRec.Trainer.Commands;

/// <summary><c>synthesize</c>: writes a world's events, the truth about it, and the request that trains on it.</summary>
static class SynthesizeCommand
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };
    private static readonly JsonFormatter Wire = new(JsonFormatter.Settings.Default.WithIndentation());

    public static Command Create()
    {
        var world = new Option<string>("--world") { Description = "Which world.", DefaultValueFactory = _ => "shop" };
        world.AcceptOnlyFromAmong([.. SyntheticWorld.Names]);
        var seed = new Option<int>("--seed") { Description = "Seed of everything random.", DefaultValueFactory = _ => 1 };
        var users = new Option<int?>("--users") { Description = "Users. Default: the world's own number." };
        var output = new Option<DirectoryInfo>("--out") { Description = "Directory for events.csv, truth.json and train.json.", Required = true };
        var command = new Command("synthesize", "Writes a synthetic world whose truth is known.") { world, seed, users, output };
        command.SetAction((parsed, _) => Task.Run(() =>
        {
            var directory = parsed.GetRequiredValue(output);
            directory.Create();
            var data = SyntheticWorld.Generate(new WorldOptions
            {
                Name = parsed.GetRequiredValue(world),
                Seed = parsed.GetValue(seed),
                Users = parsed.GetValue(users),
            });
            data.WriteCsv(Path.Combine(directory.FullName, "events.csv"));
            var truth = new { world = parsed.GetValue(world), seed = parsed.GetValue(seed), oracle = data.Truth };
            File.WriteAllText(Path.Combine(directory.FullName, "truth.json"), JsonSerializer.Serialize(truth, Json));
            File.WriteAllText(Path.Combine(directory.FullName, "train.json"), Wire.Format(RequestFor(data, parsed.GetValue(seed))));
            System.Console.Error.WriteLine($"{data.Rows.Count:N0} events in {directory.Name}/events.csv");
            return 0;
        }));
        return command;
    }

    private static readonly Duration LongestTraining = Duration.FromTimeSpan(TimeSpan.FromSeconds(75));

    /// <summary>Settings that learn these worlds in about a minute on two cores.</summary>
    private static TrainRequest RequestFor(WorldData data, int seed) => new()
    {
        ModelName = data.Name,
        Data = new DataSource { Path = "events.csv" },
        Tasks = { data.Tasks.Select(TaskMapping.ToWire) },
        Architecture = new Architecture { EmbeddingSize = 32, HiddenSize = 64, MaxSequenceLength = 64 },
        Hyperparameters = new Hyperparameters { Epochs = 40, BatchSize = 32, LearningRate = 5e-3, Patience = 4, MaxDuration = LongestTraining, Seed = seed },
        Activate = true,
    };
}
