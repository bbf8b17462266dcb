using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Export.Onnx;

namespace GrpcRec.Export.Tests;

/// <summary>Every kind of model, written as ONNX, read back by ONNX Runtime and run on one padded batch.</summary>
public class OnnxModelTests
{
    /// <summary>
    /// Both sides sum in float32, in different orders, and ONNX Runtime's sigmoid and tanh are rational approximations; over these lengths
    /// the two differ by some 1e-6 of values of the order 1.
    /// </summary>
    private const float Tolerance = 2e-5f;

    private static readonly int[] RaggedLengths = [5, 1, 0, 40, 17, 2, 64, 33, 9];

    private static readonly ModelShape[] Shapes =
    [
        new(1, Embedding: 1, Bottom: 1, Tower: 1, Catalog: 1),
        new(16),
        new(33, Embedding: 17, BehaviorEmbedding: 3, Tied: false, Tower: 0),
        new(24, Layers: 3, BehaviorEmbedding: 2),
        new(24, Tasks: false),
        ModelShape.Gru(16, ResetPlacement.AfterProduct) with { BehaviorEmbedding = 3 },
        ModelShape.Gru(17, ResetPlacement.AfterProduct, layers: 2) with { Tied = false },
        ModelShape.Gru(16, ResetPlacement.BeforeProduct),
        ModelShape.Gru(19, ResetPlacement.BeforeProduct, layers: 2) with { BehaviorEmbedding = 1 },
        ModelShape.Rnn(16),
        ModelShape.Rnn(21, layers: 3) with { BehaviorEmbedding = 4 },
        ModelShape.MinGru(16) with { BehaviorEmbedding = 3 },
        ModelShape.MinGru(21, layers: 3),
        new(16, Trunk: TrunkKind.Cgc, Experts: 2) { Chain = true },
        ModelShape.Bag(16),
        ModelShape.Bag(20, layers: 3) with { BehaviorEmbedding = 5, Tied = false },
        ModelShape.Cnn(1, window: 1, filters: 1, vertical: 0, 1) with { Embedding = 1 },
        ModelShape.Cnn(20, window: 5, filters: 4, vertical: 2, 2, 5) with { BehaviorEmbedding = 3 },
        ModelShape.Cnn(33, window: 20, filters: 8, vertical: 3, 1, 3, 20) with { Tied = false },
        new(16, Trunk: TrunkKind.Mmoe, Experts: 1, Tower: 0),
        new(16, Trunk: TrunkKind.Mmoe, Experts: 4, BehaviorEmbedding: 2),
        new(16, Trunk: TrunkKind.Cgc, Experts: 3),
        new(16, Trunk: TrunkKind.Ple, Experts: 2),
        ModelShape.Gru(16, ResetPlacement.AfterProduct) with { Trunk = TrunkKind.Ple, Experts = 4, Tower = 0 },
        new(16, Trunk: TrunkKind.Stem, Experts: 1, Tower: 0),
        new(16, Trunk: TrunkKind.Stem, Experts: 3, Tied: false) { Requests = true, Chain = true },
        new(16, Layers: 2, BehaviorEmbedding: 3) { Events = true },
        ModelShape.Gru(17, ResetPlacement.AfterProduct) with { Events = true, Tasks = false },
        ModelShape.MinGru(16) with { Events = true, BehaviorEmbedding = 2, Requests = true },
        ModelShape.Bag(16, layers: 2) with { Events = true, BehaviorEmbedding = 2, Requests = true },
        ModelShape.Cnn(16, window: 5, filters: 4, vertical: 2, 2, 5) with { Events = true, BehaviorEmbedding = 3 },
        new(16, Catalog: 20) { Repeats = true },
        new(16, Catalog: 20, Tied: false) { Memory = true, Repeats = true },
        ModelShape.Gru(17, ResetPlacement.AfterProduct) with { Memory = true, Tasks = false },
        ModelShape.Bag(16) with { Memory = true, BehaviorEmbedding = 2 },
        ModelShape.Bag(16) with { Repeats = true, Tasks = false, Catalog = 9 },
        new(16) { Requests = true, Chain = true },
        new(16, Trunk: TrunkKind.Ple, Experts: 2, Tower: 0) { Requests = true, Chain = true },
    ];

    public static TheoryData<ModelShape> Kinds => [.. Shapes];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Outputs_PaddedBatchOfDifferentLengths_EqualTheReferences(ModelShape shape)
    {
        var model = RandomModel.Create(shape);
        var run = new OnnxRun(model, RaggedLengths);

        var theirs = run.ByOnnxRuntime(OnnxModel.ToBytes(model));

        AssertEqual(run.ByEngine(EngineKind.Scalar), theirs, Tolerance);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Hidden_VectorisedEngine_EqualsOnnxRuntimes(ModelShape shape)
    {
        var model = RandomModel.Create(shape, seed: 2);
        var run = new OnnxRun(model, RaggedLengths, seed: 4);

        var theirs = run.ByOnnxRuntime(OnnxModel.ToBytes(model));

        AssertEqual(run.ByEngine(EngineKind.Auto), theirs, Tolerance);
    }

    [Fact]
    public void Outputs_WithoutHeadsAndLengths_AreTheHiddenStateOfWholeSequences()
    {
        var model = RandomModel.Create(new ModelShape(16, Layers: 2, BehaviorEmbedding: 2));
        var run = new OnnxRun(model, [12, 12, 12]);

        var theirs = run.ByOnnxRuntime(OnnxModel.ToBytes(model, new OnnxOptions { ReadsLengths = false, TaskLogits = false, CatalogLogits = false }));

        var ours = run.ByEngine(EngineKind.Scalar);
        AssertEqual(new() { [OnnxEncoder.Hidden] = ours[OnnxEncoder.Hidden] }, theirs, Tolerance);
    }

    /// <summary>Two roundings to 8 bits a step, of weights and of the state: errors of the order 1/127, which gates below 1 do not let grow.</summary>
    [Fact]
    public void Hidden_Int8_IsNearTheReference()
    {
        var model = RandomModel.Create(new ModelShape(64, Layers: 2));
        var run = new OnnxRun(model, RaggedLengths);

        var theirs = run.ByOnnxRuntime(OnnxModel.ToBytes(model, new OnnxOptions { Int8 = true, TaskLogits = false, CatalogLogits = false }));

        var ours = run.ByEngine(EngineKind.Scalar)[OnnxEncoder.Hidden];
        AssertEqual(new() { [OnnxEncoder.Hidden] = ours }, theirs, 0.03f);
        // And it is the 8-bit form.
        Assert.True(ours.Zip(theirs[OnnxEncoder.Hidden], (a, b) => Math.Abs(a - b)).Max() > 1e-4f);
    }

    [Fact]
    public void Write_WhatTheFormatCannotHold_IsRefusedByName()
    {
        var gru = RandomModel.Create(ModelShape.Gru(8, ResetPlacement.AfterProduct));
        Assert.Contains("lstm", Assert.Throws<ExportException>(() => OnnxModel.ToBytes(gru, new OnnxOptions { Int8 = true })).Message, StringComparison.Ordinal);
        var bag = RandomModel.Create(ModelShape.Bag(8));
        Assert.Contains("lengths", Assert.Throws<ExportException>(() => OnnxModel.ToBytes(bag, new OnnxOptions { ReadsLengths = false })).Message, StringComparison.Ordinal);

        using var stream = new MemoryStream();
        var refusal = Assert.Throws<ExportException>(() => OnnxModel.Write(gru, stream, new OnnxOptions { MaxWeightBytes = 1000 }));
        Assert.Contains("safetensors", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(0, stream.Length);
    }

    [Fact]
    public void Metadata_AnyModel_SaysWhatItIs()
    {
        var model = RandomModel.Create(new ModelShape(8));
        using var session = new Microsoft.ML.OnnxRuntime.InferenceSession(OnnxModel.ToBytes(model));
        var metadata = session.ModelMetadata;
        Assert.Equal("GrpcRec", metadata.ProducerName);
        Assert.Equal("random", metadata.CustomMetadataMap["grpcrec.name"]);
        Assert.StartsWith("iofc", metadata.CustomMetadataMap["grpcrec.gate_order"], StringComparison.Ordinal);
        Assert.Contains("\"stars\"", metadata.CustomMetadataMap["grpcrec.manifest"], StringComparison.Ordinal);
    }

    internal static void AssertEqual(Dictionary<string, float[]> ours, Dictionary<string, float[]> theirs, float tolerance)
    {
        Assert.Equal(ours.Keys.Order(), theirs.Keys.Order());
        foreach (var (name, expected) in ours)
        {
            Assert.Equal(expected.Length, theirs[name].Length);
            for (var i = 0; i < expected.Length; i++)
                Assert.True(Math.Abs(expected[i] - theirs[name][i]) <= tolerance, $"{name}[{i}]: ours {expected[i]}, theirs {theirs[name][i]}");
        }
    }
}
