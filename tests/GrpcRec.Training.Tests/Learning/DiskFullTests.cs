using System.ComponentModel;
using System.Diagnostics;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Learning;

namespace GrpcRec.Training.Tests.Learning;

/// <summary>A disk that is really full: a file system in memory of a chosen size. Mounting one needs root.</summary>
[Collection(TorchTests.Name)]
public sealed class DiskFullTests : IDisposable
{
    private readonly string _mount = Directory.CreateTempSubdirectory("grpcrec-full-").FullName;
    private bool _isMounted;

    public void Dispose()
    {
        if (_isMounted)
            Run("umount", _mount);
        Directory.Delete(_mount, recursive: true);
    }

    [SkippableFact]
    public void Train_DiskFullAtTheSecondEpoch_SaysSoAndGoesOnOnceThereIsRoom()
    {
        // A checkpoint is the weights and twice as much of Adam's moments; two do not fit.
        Mount("size=1500k");
        using Workspace whole = new(), broken = new();
        var plan = TinyData.Plan(TinyData.NextItem);
        plan = plan with { Architecture = plan.Architecture with { EmbeddingSize = 64, HiddenSize = 128 }, Optimization = plan.Optimization with { Epochs = 3, Patience = 9 } };
        Train(plan, whole.Checkpoint, whole.Artifact());

        var refusal = Assert.Throws<TrainingException>(() => Train(plan, _mount, broken.Artifact()));
        Assert.Contains("checkpoint of epoch 2 cannot be written", refusal.Message, StringComparison.Ordinal);
        Assert.Contains("disk has room", refusal.Message, StringComparison.Ordinal);
        Assert.False(Path.Exists(broken.Artifact()));

        Mount("remount,size=16m");
        List<string> notes = [];
        Train(plan, _mount, broken.Artifact(), notes.Add);
        Assert.Contains("Training goes on after epoch 1.", notes);
        var (expected, actual) = (ModelArtifact.Load(whole.Artifact()), ModelArtifact.Load(broken.Artifact()));
        foreach (var name in expected.TensorNames)
            Assert.Equal(expected.Weights(name).ToArray(), actual.Weights(name).ToArray());
    }

    private static void Train(TrainingPlan plan, string checkpoints, string artifact, Action<string>? note = null) =>
        ModelTrainer.Train(TinyData.Cycle(), plan, checkpoints, artifact, null, TimeProvider.System, CancellationToken.None, note: note);

    private void Mount(string options)
    {
        Skip.If(Run("mount", "-t", "tmpfs", "-o", options, "tmpfs", _mount) != 0, "A file system of a chosen size cannot be mounted: that needs root.");
        _isMounted = true;
    }

    private static int Run(string program, params string[] arguments)
    {
        try
        {
            var start = new ProcessStartInfo(program) { RedirectStandardError = true };
            foreach (var argument in arguments)
                start.ArgumentList.Add(argument);
            using var process = Process.Start(start)!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode;
        }
        catch (Win32Exception)
        {
            return -1;
        }
    }
}
