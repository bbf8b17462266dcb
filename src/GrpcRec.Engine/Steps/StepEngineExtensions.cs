namespace GrpcRec.Engine.Steps;

public static class StepEngineExtensions
{
    /// <summary><see cref="IStepEngine.ScoreCandidates"/> where nothing is known of the request.</summary>
    public static void ScoreCandidates(this IStepEngine engine, Slot slot, ReadOnlySpan<int> items, Span<float> logits)
    {
        ArgumentNullException.ThrowIfNull(engine);
        engine.ScoreCandidates(slot, [], items, logits);
    }
}
