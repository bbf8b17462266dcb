using System.Runtime.Intrinsics;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Engine.Tests.Steps;

namespace GrpcRec.Engine.Tests.Cpu;

/// <summary>What an engine computes in this process, in text: for comparing a process whose instructions were switched off with one at full width.</summary>
internal static class KernelProbe
{
    private static readonly ModelShape[] Shapes = [new(33, Layers: 2, BehaviorEmbedding: 3), new(64), new(7, Embedding: 5, Tower: 0)];

    public static int Run(TextWriter output)
    {
        output.WriteLine($"Vector512 {Vector512.IsHardwareAccelerated}");
        output.WriteLine($"Vector256 {Vector256.IsHardwareAccelerated}");
        try
        {
            BitsOf(KernelPath.Avx512);
            output.WriteLine("Avx512 runs");
        }
        catch (EngineException e)
        {
            output.WriteLine($"Avx512 refused: {e.Message}");
        }

        foreach (var line in BitsOf(KernelPath.Auto))
            output.WriteLine(line);
        return 0;
    }

    /// <summary>Name, hidden states and scores, bit for bit.</summary>
    public static IEnumerable<string> BitsOf(KernelPath path)
    {
        var lines = new List<string>();
        foreach (var shape in Shapes)
        {
            using var engine = StepEngineFactory.Create(
                RandomModel.Create(shape), new EngineOptions { Kind = EngineKind.Cpu, Path = path, SlotCapacity = 16 });
            lines.Add($"engine {engine.Name}");
            var slots = OperatorCases.Run(engine, OperatorCases.Sequences(shape, [1, 9, 40, 17, 3, 5, 21], seed: 31), maxBatch: 7, seed: 32);
            foreach (var slot in slots)
            {
                var hidden = new float[engine.HiddenSize];
                engine.ReadHidden(slot, hidden);
                var logits = new float[5 * engine.CandidateWidth];
                engine.ScoreCandidates(slot, [0, 1, 2, 3, 4], logits);
                lines.Add(string.Join(' ', hidden.Concat(logits).Select(value => $"{BitConverter.SingleToInt32Bits(value):x8}")));
            }
        }

        return lines;
    }
}
