using GrpcRec.Benchmarks.Encoding;
using GrpcRec.Engine.Models;

namespace GrpcRec.Benchmarks.Ragged;

/// <summary>The small LSTM with one task that reads the state alone: ten numbers out, so that it is the sequences that are timed.</summary>
public static class RaggedModel
{
    public const int Classes = 10;
    public const string Task = "intent";

    public static LstmSize Size => LstmSize.Small;

    public static ModelArtifact Create() => SyntheticModel.Lstm(
        Size.Items, Size.Embedding, Size.Hidden, Size.Layers,
        tasks: [new TaskManifest { Name = Task, Kind = TaskKind.Multiclass, NeedsCandidate = false, ClassNames = [.. Enumerable.Range(0, Classes).Select(i => $"class-{i}")] }]);
}
