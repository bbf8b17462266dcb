using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using GrpcRec.Engine.Models;
using GrpcRec.Training.Encoders;
using GrpcRec.Training.Optimizers;

namespace GrpcRec.Training.Learning;

/// <summary>Where a run stands after an epoch.</summary>
internal sealed record TrainingState
{
    public required string PlanFingerprint { get; init; }
    public required string DataSha256 { get; init; }
    public required int Epoch { get; init; }
    public required long Step { get; init; }
    public required int BestEpoch { get; init; }
    public required double BestValue { get; init; }
    public required double Seconds { get; init; }
    public required string OptimizerSha256 { get; init; }
    public required IReadOnlyList<EpochRecord> History { get; init; }

    /// <summary>What the weighting of the tasks has learnt.</summary>
    public double[] WeightingState { get; init; } = [];
}

/// <summary>
/// A training run on disk, so that a worker that died goes on after its last finished epoch. <c>state.json</c> is renamed into place last and
/// names nothing that is not complete; weights are model artefacts (<c>epoch-N</c>, verified on load), the optimiser's
/// moments a file with a digest (<c>optimizer-N.bin</c>). An epoch's random numbers come from the seed and its number, so a run that is taken up
/// again makes the same model as one that never stopped.
/// </summary>
internal sealed class TrainingCheckpoint(string directory)
{
    private const string StateFile = "state.json";
    private const long MaxStateBytes = 64L << 20;
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals };

    private string Weights(int epoch) => Path.Combine(directory, $"epoch-{epoch}");

    private string Optimizer(int epoch) => Path.Combine(directory, $"optimizer-{epoch}.bin");

    /// <returns>The state and null; or null and why there is nothing to take up, null when there never was.</returns>
    public (TrainingState? State, string? Note) Find(string planFingerprint, string dataSha256)
    {
        var file = Path.Combine(directory, StateFile);
        if (!File.Exists(file))
            return (null, null);
        try
        {
            if (new FileInfo(file).Length > MaxStateBytes)
                return (null, "the checkpoint is too large to be one");
            var state = JsonSerializer.Deserialize<TrainingState>(File.ReadAllBytes(file), Json);
            if (state is null)
                return (null, "the checkpoint is empty");
            if (state.PlanFingerprint != planFingerprint)
                return (null, "the checkpoint is of another plan");
            if (state.DataSha256 != dataSha256)
                return (null, "the checkpoint is of other data or of another split");
            if (!File.Exists(Optimizer(state.Epoch)) || Digest(Optimizer(state.Epoch)) != state.OptimizerSha256)
                return (null, "the checkpoint's optimiser file is missing or damaged");
            return (state, null);
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            return (null, "the checkpoint cannot be read");
        }
    }

    /// <summary>Loads weights and moments of the state's epoch.</summary>
    /// <exception cref="ArtifactException">The weights are damaged.</exception>
    public void Restore(TrainingState state, ModelParameters parameters, ParameterOptimizer optimizer)
    {
        parameters.Import(LoadWeights(state.Epoch));
        optimizer.Load(Optimizer(state.Epoch));
    }

    public ModelArtifact LoadWeights(int epoch) => ModelArtifact.Load(Weights(epoch));

    /// <summary>Writes the epoch's weights and moments, then the state, then removes what the state names no more.</summary>
    /// <exception cref="TrainingException">It cannot be written: the disk is full, or the directory is not ours. What was saved before stands.</exception>
    public TrainingState Save(TrainingState state, ModelManifest manifest, ItemCatalog items, ModelParameters parameters, ParameterOptimizer optimizer)
    {
        try
        {
            return Write(state, manifest, items, parameters, optimizer);
        }
        catch (Exception fault) when (fault is ArtifactException or IOException or UnauthorizedAccessException)
        {
            throw new TrainingException(
                $"The checkpoint of epoch {state.Epoch} cannot be written: check that its directory is writable and its disk has room. Started again, training goes on after the last epoch that was saved.",
                fault);
        }
    }

    private TrainingState Write(TrainingState state, ModelManifest manifest, ItemCatalog items, ModelParameters parameters, ParameterOptimizer optimizer)
    {
        Directory.CreateDirectory(directory);
        if (Directory.Exists(Weights(state.Epoch)))
            Directory.Delete(Weights(state.Epoch), recursive: true);
        ModelArtifact.Write(Weights(state.Epoch), manifest, items, parameters.Export());
        optimizer.Save(Optimizer(state.Epoch));
        state = state with { OptimizerSha256 = Digest(Optimizer(state.Epoch)) };

        var temporary = Path.Combine(directory, StateFile + ".tmp");
        using (var stream = new FileStream(temporary, FileMode.Create))
        {
            JsonSerializer.Serialize(stream, state, Json);
            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, Path.Combine(directory, StateFile), overwrite: true);
        foreach (var old in Directory.GetDirectories(directory, "epoch-*"))
        {
            if (old != Weights(state.Epoch) && old != Weights(state.BestEpoch))
                Directory.Delete(old, recursive: true);
        }

        foreach (var old in Directory.GetFiles(directory, "optimizer-*.bin"))
        {
            if (old != Optimizer(state.Epoch))
                File.Delete(old);
        }

        return state;
    }

    private static string Digest(string file)
    {
        using var stream = File.OpenRead(file);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
