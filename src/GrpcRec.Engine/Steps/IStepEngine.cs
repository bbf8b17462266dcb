using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;

namespace GrpcRec.Engine.Steps;

/// <summary>One sequence's place in an engine: its recurrent state for every layer.</summary>
public readonly record struct Slot(int Index);

/// <param name="Item">Dense item id, 0…V-1.</param>
/// <param name="Behavior">Dense behaviour id; of a model with event features the event's kind (<see cref="EventKinds"/>).</param>
public readonly record struct StepEvent(Slot Slot, int Item, int Behavior);

/// <summary>A run of events of one sequence: they stand at [Start, Start + Count) in the arrays of <see cref="IStepEngine.Advance"/>.</summary>
public readonly record struct EventRun(Slot Slot, int Start, int Count);

/// <summary>
/// Runs one model version. Its one primitive is: advance these slots by their next events. No padding, no length buckets: a batch is
/// whichever slots have an event pending (cellular batching; Gao et al., EuroSys 2018).
/// Batch invariance: a slot's state and scores are bit-equal whatever shares its batch.
/// One thread at a time calls an engine; many engines may share the weights of one <see cref="Models.ModelArtifact"/>.
/// </summary>
public interface IStepEngine : IDisposable
{
    /// <summary>Name for logs and metrics: "cpu-avx512", "cpu-scalar" …</summary>
    string Name { get; }

    /// <summary>What was chosen at load and why, for the log.</summary>
    string Description => Name;

    /// <summary>That the encoder runs in. Null: in one that no artefact states, such as f16; the name tells which.</summary>
    Precision? Precision => Models.Precision.Float32;

    /// <summary>H, width of the top layer's hidden state.</summary>
    int HiddenSize { get; }

    /// <summary>V.</summary>
    int CatalogSize { get; }

    /// <summary>Logits of all candidate tasks but next_item, in the manifest's order of tasks, plus one for next_item in its place.</summary>
    int CandidateWidth { get; }

    /// <summary>Logits of all tasks that need no candidate, in the manifest's order of tasks.</summary>
    int SequenceWidth { get; }

    /// <summary>Items of equal score are ranked by something that the model knows of them: an evaluation takes their places as they stand.</summary>
    bool RanksEqualScores => false;

    int SlotCapacity { get; }

    int FreeSlots { get; }

    /// <summary>The device that it runs on is gone and not yet back: no slot is to be had, and calls throw <see cref="EngineLostException"/>.</summary>
    bool IsLost => false;

    /// <summary>Takes a slot with zero state. False when all are taken.</summary>
    bool TryRent(out Slot slot);

    void Return(Slot slot);

    /// <summary>Advances each slot by one event. A slot stands at most once in <paramref name="events"/>.</summary>
    void Step(ReadOnlySpan<StepEvent> events);

    /// <summary>
    /// Advances each slot by its run of events, oldest first. Bit-equal to <see cref="Step"/> on each event in turn, and faster: what does
    /// not depend on the state is computed for the whole run at once. A slot stands at most once in <paramref name="runs"/>.
    /// </summary>
    /// <param name="items">Dense item ids that the runs refer to.</param>
    /// <param name="behaviors">[the same length] dense behaviour ids; of a model with event features kinds (<see cref="EventKinds"/>).</param>
    void Advance(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors);

    /// <param name="hidden">[H] top layer's hidden state, written.</param>
    void ReadHidden(Slot slot, Span<float> hidden);

    /// <summary>Logits (no sigmoid, no softmax) of every candidate task.</summary>
    /// <param name="request">[features] indices (<see cref="RequestFeatures"/>), the same for all candidates; empty: nothing is known.</param>
    /// <param name="items">[N] dense item ids.</param>
    /// <param name="logits">[N, CandidateWidth], row-major, written.</param>
    void ScoreCandidates(Slot slot, ReadOnlySpan<int> request, ReadOnlySpan<int> items, Span<float> logits);

    /// <param name="logits">[SequenceWidth] written.</param>
    void ScoreSequence(Slot slot, Span<float> logits);

    /// <summary>next_item logits of the whole catalogue: for evaluation, not for serving.</summary>
    /// <param name="logits">[V] written.</param>
    void ScoreCatalog(Slot slot, Span<float> logits);

    /// <summary>Best items by next_item logit for each query, ties by the lower dense id. Scores are never materialised for all items.</summary>
    void Rank(ReadOnlySpan<RankQuery> queries);
}
