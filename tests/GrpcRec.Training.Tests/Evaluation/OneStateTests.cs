using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Tests.Learning;

namespace GrpcRec.Training.Tests.Evaluation;

[Collection(TorchTests.Name)]
public sealed class OneStateTests : IDisposable
{
    private static readonly EvaluationPlan OneState = new() { FromOneState = true };
    private readonly Workspace _space = new();

    public void Dispose() => _space.Dispose();

    [Fact]
    public void Evaluate_FromOneState_ReadsNothingOfWhatBecameOfTheTargets()
    {
        var data = Tested(last: 4);
        var model = Trained(data);
        var (one, running) = (Evaluate(model, data, OneState), Evaluate(model, data, new()));
        Assert.Equal(running["count/like"], one["count/like"]);
        Assert.NotEqual(running["logloss/like"], one["logloss/like"]);

        // What the test part's events came to, but for their label: read by the targets after them.
        for (var t = 0; t < data.EventCount; t++)
        {
            if (data.Roles[t] == SplitRole.Test)
                data.BehaviorIds[t] ^= 1;
        }

        Assert.Equal(one, Evaluate(model, data, OneState));
        Assert.NotEqual(running["logloss/like"], Evaluate(model, data, new())["logloss/like"]);
    }

    /// <summary>Of twelve events before the first target the last ten are read.</summary>
    [Fact]
    public void Evaluate_FromOneStateOfALongHistory_ReadsTheModelsWindow()
    {
        var data = Tested(last: 2);
        var model = Trained(data);
        var whole = Evaluate(model, data, OneState);
        foreach (var first in data.Offsets[..^1])
            (data.BehaviorIds[first], data.BehaviorIds[first + 1]) = ((byte)(1 - data.BehaviorIds[first]), (byte)(1 - data.BehaviorIds[first + 1]));
        Assert.Equal(whole, Evaluate(model, data, OneState));
        foreach (var first in data.Offsets[..^1])
            data.BehaviorIds[first + 2] ^= 1;
        Assert.NotEqual(whole["logloss/like"], Evaluate(model, data, OneState)["logloss/like"]);
    }

    [Fact]
    public void Evaluate_OneTargetForEachUser_IsTheSameEitherWay()
    {
        var data = Tested(last: 1);
        var model = Trained(data);
        Assert.Equal(Evaluate(model, data, new()), Evaluate(model, data, OneState));
    }

    [Fact]
    public void Evaluate_NextItemFromOneState_IsRefused()
    {
        var data = TinyData.Cycle();
        ModelTrainer.Train(data, TinyData.Plan(TinyData.NextItem), _space.Checkpoint, _space.Artifact(), null, TimeProvider.System, default);
        var refusal = Assert.Throws<EvaluationException>(() =>
            ModelEvaluator.Evaluate(ModelArtifact.Load(_space.Artifact()), data, [TinyData.NextItem], OneState, SplitRole.Test));
        Assert.Contains("next_item", refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>Sequences of 14 events, of which the model reads 10.</summary>
    private static SequenceDataset Tested(int last)
    {
        var data = TinyData.Cycle();
        for (var s = 0; s < data.SequenceCount; s++)
            Array.Fill(data.Roles, SplitRole.Test, data.Offsets[s + 1] - last, last);
        return data;
    }

    private ModelArtifact Trained(SequenceDataset data)
    {
        ModelTrainer.Train(data, TinyData.Plan(TinyData.Like), _space.Checkpoint, _space.Artifact(), null, TimeProvider.System, default);
        return ModelArtifact.Load(_space.Artifact());
    }

    private static IReadOnlyDictionary<string, double> Evaluate(ModelArtifact model, SequenceDataset data, EvaluationPlan plan) =>
        ModelEvaluator.Evaluate(model, data, [TinyData.Like], plan, SplitRole.Test);
}
