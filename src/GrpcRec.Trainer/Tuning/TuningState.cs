using System.Text.Json;
using System.Text.Json.Nodes;
using GrpcRec.Training.Learning;

namespace GrpcRec.Trainer.Tuning;

/// <summary>One choice of settings and what became of it.</summary>
sealed record TuningTrial
{
    public required int Number { get; init; }

    /// <summary>Over the plan's own; empty for trial 0, which is the plan as it is.</summary>
    public required JsonObject Settings { get; init; }

    /// <summary>The rung that it reached, in epochs; training may have ended sooner.</summary>
    public int Rung { get; init; }

    /// <summary>Epochs made.</summary>
    public int Epochs { get; init; }

    /// <summary>Best value on the validation split so far; null until it was measured.</summary>
    public double? Value { get; init; }

    /// <summary>Validation value of each epoch.</summary>
    public IReadOnlyList<double> Curve { get; init; } = [];
    public double Seconds { get; init; }

    /// <summary>Why it was given up: settings that cannot be trained, or a loss that was not finite. Null: it was not.</summary>
    public string? Failure { get; init; }
}

/// <summary>A search on disk, written after every training: whoever starts it again goes on where it stood.</summary>
sealed record TuningState
{
    public const string FileName = "tune.json";

    /// <summary>What makes it this search: data, plan, space, seed.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>What is maximised on the validation split.</summary>
    public string Criterion { get; init; } = "";
    public required IReadOnlyList<TuningTrial> Trials { get; init; }

    /// <summary>Null: no search was begun there.</summary>
    /// <exception cref="TrainingException">The file is damaged.</exception>
    public static TuningState? Load(string directory)
    {
        var file = Path.Combine(directory, FileName);
        if (!File.Exists(file))
            return null;
        try
        {
            return JsonSerializer.Deserialize<TuningState>(File.ReadAllText(file), PlanSettings.Json);
        }
        catch (JsonException fault)
        {
            throw new TrainingException($"{file} is damaged ({fault.Message}); delete it to begin anew.", fault);
        }
    }

    public void Save(string directory)
    {
        Directory.CreateDirectory(directory);
        var file = Path.Combine(directory, FileName);
        File.WriteAllText(file + ".new", JsonSerializer.Serialize(this, PlanSettings.Json));
        File.Move(file + ".new", file, overwrite: true);
    }
}
