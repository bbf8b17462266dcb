using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Batching;

namespace GrpcRec.Serving.Registry;

/// <summary>Verify → load → warm: makes a version that can answer, or says why not.</summary>
internal sealed class VersionLoader(
    RegistryOptions options, ComputePool pool, TimeProvider time, ServingObserver observer,
    Func<ModelArtifact, EngineOptions, IStepEngine> createEngine, Action<LoadedVersion> onIdle)
{
    public Outcome<LoadedVersion> Load(string name, string version)
    {
        var started = time.GetTimestamp();
        var engines = new List<IStepEngine>();
        try
        {
            var artifact = ModelArtifact.Load(Path.Combine(options.Directory, name, version));
            if (artifact.Manifest.Name != name || artifact.Manifest.Version != version)
                return Fail(name, version, "manifest.json names another model or version than its directory: the directory was renamed or copied.", null);
            CreateEngines(artifact, options.Engine, engines);
            var description = engines[0].Description;
            if (options.Engine.Kind == EngineKind.Auto && engines.Find(engine => engine.Name != engines[0].Name) is { } other)
            {
                // Auto found room on the device for the first of them only. A version's answers have the same bits on each, so all are alike.
                description = other.Description;
                Drop(engines);
                engines.Clear();
                CreateEngines(artifact, options.Engine with { Kind = StepEngineFactory.OnProcessor }, engines);
            }

            if (!engines.TrueForAll(engine => Warm(engine, artifact.Manifest)))
            {
                Drop(engines);
                return Fail(name, version, "A trial run gave numbers that are not finite: train the model again.", null);
            }

            var scheduler = new BatchScheduler(pool, engines, $"{name}/{version}", options.Batching, time, observer);
            observer.VersionLoaded(name, version, description, time.GetElapsedTime(started));
            return new LoadedVersion(artifact, scheduler, onIdle);
        }
        catch (Exception exception) when (exception is ArtifactException or EngineException or EngineLostException)
        {
            Drop(engines);
            return Fail(name, version, exception.Message, exception);
        }
        catch (Exception exception)
        {
            // Whatever else goes wrong with a new version (memory, disk, a fault of the engine) must not touch the one that answers.
            Drop(engines);
            return Fail(name, version, exception is OutOfMemoryException ? "There is not enough memory to load it." : "It cannot be loaded; the server's log tells more.", exception);
        }
    }

    /// <summary>One for each thread, or for each slot where those are fewer. They share the artefact's weights.</summary>
    private void CreateEngines(ModelArtifact artifact, EngineOptions engine, List<IStepEngine> engines)
    {
        var slots = engine.SlotCapacity;
        var count = Math.Min(pool.Threads, slots);
        for (var i = 0; i < count; i++)
            engines.Add(createEngine(artifact, engine with { SlotCapacity = (slots / count) + (i < slots % count ? 1 : 0), SpareThreads = pool }));
    }

    private static void Drop(List<IStepEngine> engines)
    {
        foreach (var engine in engines)
            engine.Dispose();
    }

    private Rejection Fail(string name, string version, string reason, Exception? exception)
    {
        observer.VersionFailed(name, version, reason, exception);
        return new Rejection(RejectionKind.FailedPrecondition, "VERSION_UNUSABLE", reason);
    }

    /// <summary>One of everything, so that the first caller does not pay for what is made on first use.</summary>
    private static bool Warm(IStepEngine engine, ModelManifest manifest)
    {
        if (!engine.TryRent(out var slot))
            throw new EngineException("the engine has no free slot at its start");
        engine.Advance([new EventRun(slot, 0, 1)], [0], [0]);
        var logits = new float[engine.CandidateWidth + engine.SequenceWidth];
        if (engine.CandidateWidth > 0)
            engine.ScoreCandidates(slot, [0], logits.AsSpan(0, engine.CandidateWidth));
        if (engine.SequenceWidth > 0)
            engine.ScoreSequence(slot, logits.AsSpan(engine.CandidateWidth));
        if (manifest.Tasks.Any(task => task.Kind == TaskKind.NextItem))
            engine.Rank([new RankQuery { Slot = slot, K = 1 }]);
        engine.Return(slot);
        return logits.All(float.IsFinite);
    }
}
