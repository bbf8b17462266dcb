using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Export.Onnx;
using Microsoft.ML.OnnxRuntime;

namespace GrpcRec.Export.Tests;

/// <summary>One padded batch of sequences of different lengths, run by ONNX Runtime and by an engine of ours.</summary>
public sealed class OnnxRun
{
    // An id that is valid and far from the events': what stands behind a sequence's end must not matter.
    private const int Padding = 0;

    private readonly ModelArtifact _model;
    private readonly EventKinds _kinds;

    // An event's behaviour and features, and as its kind.
    private readonly (int Item, int Kind)[][] _sequences;
    private readonly int[] _candidates;

    // [batch] indices of the request's features.
    private readonly int[][] _requests;

    public OnnxRun(ModelArtifact model, int[] lengths, int seed = 3, int candidates = 7)
    {
        _model = model;
        var random = new Random(seed);
        _kinds = new EventKinds(model.Manifest);
        _sequences = [.. lengths.Select(length => Enumerable.Range(0, length)
            .Select(_ => (random.Next(model.Manifest.CatalogSize), random.Next(_kinds.Count))).ToArray())];
        _candidates = [.. Enumerable.Range(0, candidates * lengths.Length).Select(_ => random.Next(model.Manifest.CatalogSize))];
        _requests = [.. lengths.Select(_ => model.Manifest.RequestFeatures.Select(feature => random.Next(feature.Count)).ToArray())];
    }

    private int Batch => _sequences.Length;

    private int CandidatesEach => _candidates.Length / Batch;

    /// <summary>Every output of the graph by name, row-major.</summary>
    public Dictionary<string, float[]> ByOnnxRuntime(byte[] onnx)
    {
        using var session = new InferenceSession(onnx);
        using var options = new RunOptions();
        var longest = Math.Max(1, _sequences.Max(sequence => sequence.Length));
        long[] shape = [Batch, longest];
        var inputs = new Dictionary<string, OrtValue>();
        try
        {
            foreach (var name in session.InputNames)
            {
                inputs[name] = name switch
                {
                    OnnxEncoder.ItemIds => OrtValue.CreateTensorValueFromMemory(Padded(longest, e => e.Item), shape),
                    OnnxEncoder.BehaviorIds => OrtValue.CreateTensorValueFromMemory(Padded(longest, e => Unfold(e.Kind).Behavior), shape),
                    OnnxEncoder.Lengths => OrtValue.CreateTensorValueFromMemory(_sequences.Select(sequence => sequence.Length).ToArray(), [Batch]),
                    OnnxTrunk.CandidateIds => OrtValue.CreateTensorValueFromMemory(_candidates.Select(item => (long)item).ToArray(), [Batch, CandidatesEach]),
                    _ when name.StartsWith("event.", StringComparison.Ordinal) => OrtValue.CreateTensorValueFromMemory(Padded(longest, e => Unfold(e.Kind).Features[PlaceOf(name)]), shape),
                    _ when name.StartsWith("request.", StringComparison.Ordinal) => OrtValue.CreateTensorValueFromMemory(_requests.Select(request => (long)request[PlaceOf(name)]).ToArray(), [Batch]),
                    _ => throw new InvalidOperationException($"an input named {name} is not expected"),
                };
            }

            using var results = session.Run(options, inputs, session.OutputNames);
            return session.OutputNames.Zip(results, (name, value) => (name, Data: value.GetTensorDataAsSpan<float>().ToArray())).ToDictionary(pair => pair.name, pair => pair.Data);
        }
        finally
        {
            foreach (var input in inputs.Values)
                input.Dispose();
        }
    }

    /// <summary>The same by an engine.</summary>
    public Dictionary<string, float[]> ByEngine(EngineKind kind)
    {
        using var engine = StepEngineFactory.Create(_model, new EngineOptions { Kind = kind, SlotCapacity = Batch });
        var manifest = _model.Manifest;
        var outputs = new Dictionary<string, List<float>> { [OnnxEncoder.Hidden] = [] };
        foreach (var task in manifest.Tasks)
            outputs[OnnxHeads.Logits(task.Name)] = [];
        for (var n = 0; n < Batch; n++)
        {
            Assert.True(engine.TryRent(out var slot));
            engine.Advance([new EventRun(slot, 0, _sequences[n].Length)], [.. _sequences[n].Select(e => e.Item)], [.. _sequences[n].Select(e => e.Kind)]);
            var hidden = new float[engine.HiddenSize];
            engine.ReadHidden(slot, hidden);
            outputs[OnnxEncoder.Hidden].AddRange(hidden);

            var items = _candidates.AsSpan(n * CandidatesEach, CandidatesEach);
            var candidates = new float[items.Length * engine.CandidateWidth];
            engine.ScoreCandidates(slot, _requests[n], items, candidates);
            var sequence = new float[engine.SequenceWidth];
            engine.ScoreSequence(slot, sequence);
            int candidateAt = 0, sequenceAt = 0;
            foreach (var task in manifest.Tasks)
            {
                var output = outputs[OnnxHeads.Logits(task.Name)];
                if (task.Kind == TaskKind.NextItem)
                {
                    var catalog = new float[engine.CatalogSize];
                    engine.ScoreCatalog(slot, catalog);
                    output.AddRange(catalog);
                    candidateAt++;
                }
                else if (task.NeedsCandidate)
                {
                    for (var row = 0; row < items.Length; row++)
                        output.AddRange(candidates.AsSpan((row * engine.CandidateWidth) + candidateAt, task.OutputWidth));
                    candidateAt += task.OutputWidth;
                }
                else
                {
                    output.AddRange(sequence.AsSpan(sequenceAt, task.OutputWidth));
                    sequenceAt += task.OutputWidth;
                }
            }
        }

        return outputs.ToDictionary(output => output.Key, output => output.Value.ToArray());
    }

    private (int Behavior, int[] Features) Unfold(int kind)
    {
        var features = new int[_kinds.Features.Count];
        return (_kinds.Unfold(kind, features), features);
    }

    /// <summary>Of the feature that an input is of, among those of its sort.</summary>
    private int PlaceOf(string input)
    {
        var names = input.StartsWith("event.", StringComparison.Ordinal) ? _kinds.Features.Select(feature => feature.Name) : _model.Manifest.RequestFeatures.Select(feature => feature.Name);
        return names.ToList().IndexOf(input[(input.IndexOf('.') + 1)..]);
    }

    private long[] Padded(int longest, Func<(int Item, int Kind), int> field)
    {
        var ids = new long[Batch * longest];
        Array.Fill(ids, Padding);
        for (var n = 0; n < Batch; n++)
        {
            for (var t = 0; t < _sequences[n].Length; t++)
                ids[(n * longest) + t] = field(_sequences[n][t]);
        }

        return ids;
    }
}
