using System.Globalization;
using System.Text;
using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Worker;
using GrpcRec.Training.Learning;
using GrpcRec.V1;

namespace GrpcRec.Trainer.Tests;

public sealed class TrainingJobTests : IDisposable
{
    private readonly ScratchDirectory _root = new();
    private readonly List<string> _notes = [];

    public void Dispose() => _root.Dispose();

    [Fact]
    public void Run_AgainAfterTheVersionWasWritten_TakesItAsItIs()
    {
        // What a worker leaves that dies while it draws the report: the version is there, and nobody was told.
        WriteEvents(users: 30);
        var first = Run();
        var written = File.GetLastWriteTimeUtc(Path.Combine(_root.Path, "models", "small", "v1", ModelArtifact.WeightsFile));
        var second = Run();
        Assert.Equal(TrainingState.Succeeded, second.State);
        Assert.Equal(first.Metrics, second.Metrics);
        Assert.Equal(written, File.GetLastWriteTimeUtc(Path.Combine(_root.Path, "models", "small", "v1", ModelArtifact.WeightsFile)));
        Assert.Contains(_notes, note => note.Contains("An earlier attempt wrote small/v1", StringComparison.Ordinal));
    }

    [Fact]
    public void Run_VersionOfOtherDataThere_IsRefused()
    {
        WriteEvents(users: 30);
        Run();
        WriteEvents(users: 31);
        Assert.Contains("exists already", Assert.Throws<TrainingException>(Run).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_SettingOutOfItsBound_IsRefusedBeforeTheDataIsRead()
    {
        var request = Request();
        request.Hyperparameters.MinContext = 5_000;
        var refusal = Assert.Throws<TrainingException>(() => Run(request));
        Assert.Contains("hyperparameters.min_context", refusal.Message, StringComparison.Ordinal);
    }

    private V1.Training Run() => Run(Request());

    private V1.Training Run(TrainRequest request) => new TrainingJob(
        request,
        new WorkerOptions
        {
            SocketPath = "", ParentProcessId = 0, DataRoot = _root.Path, ModelsDirectory = Path.Combine(_root.Path, "models"), CheckpointDirectory = Path.Combine(_root.Path, "checkpoints"), ModelVersion = "v1",
        },
        TimeProvider.System, _notes.Add).Run(_ => { }, CancellationToken.None);

    private static TrainRequest Request() => new()
    {
        ModelName = "small",
        Data = new DataSource { Path = "events.csv" },
        Architecture = new Architecture { EmbeddingSize = 8, HiddenSize = 8, MaxSequenceLength = 10 },
        Hyperparameters = new Hyperparameters { Epochs = 1 },
    };

    private void WriteEvents(int users)
    {
        var rows = new StringBuilder("user_id,item_id,timestamp_ms\n");
        for (var user = 0; user < users; user++)
        {
            for (var t = 0; t < 8; t++)
                rows.Append(CultureInfo.InvariantCulture, $"u{user},i{(user + t) % 9},{1_000 + t}\n");
        }

        File.WriteAllText(Path.Combine(_root.Path, "events.csv"), rows.ToString());
    }
}
