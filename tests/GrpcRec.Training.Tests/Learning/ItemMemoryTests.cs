using GrpcRec.Engine.Models;
using GrpcRec.Training.Encoders;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using TorchSharp;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Learning;

[Collection(TorchTests.Name)]
public class ItemMemoryTests
{
    [Fact]
    public void Memory_ThreeEvents_IsTheFadingSumOfTheirEmbeddings()
    {
        using var model = Model();
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        model.Parameters[ModelTensors.MemoryDecay].copy_(arange(8) - 3.5f);
        long[] items = [4, 9, 4];

        var memory = model.Heads.Memory(tensor(items), new PackedSequences([3]), training: false)!;

        var table = model.Parameters[ModelTensors.ItemEmbedding];
        for (var k = 0; k < 8; k++)
        {
            var factor = 1 / (1 + Math.Exp(3.5 - k));
            double first = table[4, k].item<float>(), second = table[9, k].item<float>();
            Assert.Equal(first, memory[0, k].item<float>(), 1e-6);
            Assert.Equal((factor * first) + second, memory[1, k].item<float>(), 1e-6);
            Assert.Equal((((factor * first) + second) * factor) + first, memory[2, k].item<float>(), 1e-6);
        }
    }

    [Fact]
    public void NextItemQuery_BothVectorsOfTheMemory_GetTheirGradients()
    {
        using var model = Model();
        using var scope = NewDisposeScope();
        var (gain, decay) = (model.Parameters[ModelTensors.MemoryGain], model.Parameters[ModelTensors.MemoryDecay]);

        double Sum()
        {
            var memory = model.Heads.Memory(tensor(new long[] { 4, 9, 2 }), new PackedSequences([3]), training: false)!;
            var sum = model.Heads.NextItemQuery(zeros(1, 16), memory[2].unsqueeze(0)).square().sum();
            sum.backward();
            return sum.item<float>();
        }

        // Later calls add to the gradients: they are read after the first.
        Sum();
        foreach (var (parameter, gradient) in new[] { (gain, gain.grad![3].item<float>()), (decay, decay.grad![3].item<float>()) })
        {
            var before = parameter[3].item<float>();
            double At(float value)
            {
                using (no_grad())
                    parameter[3] = value;
                return Sum();
            }

            const float step = 0.05f;
            var numeric = (At(before + step) - At(before - step)) / (2 * step);
            At(before);
            Assert.NotEqual(0, gradient);
            Assert.Equal(numeric, gradient, 0.02 * Math.Abs(gradient));
        }
    }

    [Fact]
    public void Train_ManyItemsInSmallGroups_LearnsThemSoonerWithAMemory()
    {
        // 240 items in groups of six; a sequence stays within one, in no order, as a taste does: few events of each item.
        var data = TinyData.Cycle(items: 240, sequences: 240, length: 8, behaviors: 1);
        var random = new Random(5);
        for (var e = 0; e < data.EventCount; e++)
            data.ItemIds[e] = (e / 8 % 40 * 6) + random.Next(6);

        double Hits(bool memory) =>
            TinyData.TestHits(data, network => network with { ItemMemory = memory }, epochs: 4, ModelTensors.MemoryGain, has: memory);

        var (plain, withMemory) = (Hits(memory: false), Hits(memory: true));
        Assert.True(withMemory > plain + 0.1, $"hr@5 {withMemory} with a memory, {plain} without");
    }

    private static MultiTaskModel Model()
    {
        random.manual_seed(1);
        var (plan, data) = (TinyData.Plan(TinyData.NextItem), TinyData.Cycle());
        plan = plan with { Architecture = plan.Architecture with { ItemMemory = true } };
        return new MultiTaskModel(TrainingPlanRules.Manifest(plan, data, TaskLabels.Build(data, plan.Tasks), DateTimeOffset.UnixEpoch), dropout: 0);
    }
}
