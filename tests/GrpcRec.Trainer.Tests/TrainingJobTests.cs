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

    [Theory]
    [InlineData("markov-1")]
    [InlineData("item-knn")]
    [InlineData("rates")]
    public void Run_Baseline_WritesAModelOfCountsAndShowsEveryPhase(string baseline)
    {
        WriteEvents(users: 30);
        var request = Request();
        request.Baseline = baseline;
        if (baseline == "rates")
        {
            request.Data.Columns = new ColumnMapping { Labels = { "liked" } };
            request.Tasks.Add(new TaskSpec { Name = "like", Kind = V1.TaskKind.Binary, Label = new LabelSpec { Column = "liked" } });
        }

        List<TrainingPhase> phases = [];
        var done = Run(request, job => phases.Add(job.Progress.Phase));
        Assert.Equal(TrainingState.Succeeded, done.State);
        TrainingPhase[] expected = [TrainingPhase.Importing, TrainingPhase.Training, TrainingPhase.Testing, TrainingPhase.Writing];
        Assert.Equal(baseline == "rates" ? expected.Where(phase => phase != TrainingPhase.Training) : expected, phases.Distinct());

        var manifest = ModelArtifact.ReadManifest(Path.Combine(_root.Path, "models", "small", "v1"));
        Assert.Equal(EncoderKind.Counts, manifest.Encoder.Kind);
        if (baseline == "rates")
            Assert.Equal(1, done.Metrics["auc/like"]); // the items of a residue are liked, whoever sees them
        else
            Assert.All(done.BaselineMetrics.Where(metric => metric.Key.StartsWith(baseline + "/", StringComparison.Ordinal)), metric =>
                Assert.Equal(metric.Value, done.Metrics[metric.Key[(baseline.Length + 1)..]], 12));
    }

    [Fact]
    public void Run_Distilled_ShowsTheTeacherAndWhatTheTaskHasOfItsCompany()
    {
        WriteEvents(users: 30);
        var request = Request();
        request.Hyperparameters.Distillation = 0.5;
        request.Data.Columns = new ColumnMapping { Labels = { "liked" } };
        request.Tasks.Add(new TaskSpec { Name = "next", Kind = V1.TaskKind.NextItem });
        request.Tasks.Add(new TaskSpec { Name = "like", Kind = V1.TaskKind.Binary, Label = new LabelSpec { Column = "liked" } });
        List<string> alone = [];
        var done = Run(request, job => alone.Add(job.Progress.SingleTask));
        Assert.Equal(TrainingState.Succeeded, done.State);
        Assert.Equal(["", "like", ""], alone.Where((task, n) => n == 0 || task != alone[n - 1]));
        Assert.Equal("like", Assert.Single(done.Relatedness.Gains).Task);
    }

    private V1.Training Run() => Run(Request());

    private V1.Training Run(TrainRequest request, Action<V1.Training>? report = null) => new TrainingJob(
        request,
        new WorkerOptions
        {
            SocketPath = "", ParentProcessId = 0, DataRoot = _root.Path, ModelsDirectory = Path.Combine(_root.Path, "models"), CheckpointDirectory = Path.Combine(_root.Path, "checkpoints"), ModelVersion = "v1",
        },
        TimeProvider.System, _notes.Add).Run(report ?? (_ => { }), CancellationToken.None);

    private static TrainRequest Request() => new()
    {
        ModelName = "small",
        Data = new DataSource { Path = "events.csv" },
        Architecture = new Architecture { EmbeddingSize = 8, HiddenSize = 8, MaxSequenceLength = 10 },
        Hyperparameters = new Hyperparameters { Epochs = 1 },
    };

    private void WriteEvents(int users)
    {
        var rows = new StringBuilder("user_id,item_id,timestamp_ms,liked\n");
        for (var user = 0; user < users; user++)
        {
            for (var t = 0; t < 8; t++)
                rows.Append(CultureInfo.InvariantCulture, $"u{user},i{(user + t) % 9},{1_000 + t},{((user + t) % 9 % 2)}\n");
        }

        File.WriteAllText(Path.Combine(_root.Path, "events.csv"), rows.ToString());
    }
}
