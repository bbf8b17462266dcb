using GrpcRec.Training.Optimizers;
using GrpcRec.Training.Tests.Learning;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace GrpcRec.Training.Tests.Optimizers;

[Collection(TorchTests.Name)]
public class ParameterOptimizerTests
{
    private static readonly (string Name, long[] Shape)[] Shapes = [("item_embedding", [19, 7]), ("w", [33, 16]), ("b", [5]), ("c", [64])];

    public static TheoryData<OptimizerKind, double> Kinds => new()
    {
        { OptimizerKind.Adam, 0 },
        { OptimizerKind.Adam, 0.1 },
        { OptimizerKind.AdamW, 0.1 },
        { OptimizerKind.Sgd, 0 },
        { OptimizerKind.Sgd, 0.1 },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Step_TwentyTimes_GoesWhereTorchGoes(OptimizerKind kind, double decay)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(3);
        var ours = Fresh();
        var theirs = ours.Select(one => (one.Name, Parameter: new Parameter(one.Parameter.detach().clone()))).ToArray();
        using var optimizer = ParameterOptimizer.Create(ours, new OptimizerPlan { Kind = kind, WeightDecay = decay, Momentum = 0.8 });
        // Biases do not decay here; in torch that takes an optimiser of their own.
        using var decaying = Torch(kind, decay, [.. theirs.Where(one => one.Parameter.dim() > 1).Select(one => one.Parameter)]);
        using var others = Torch(kind, 0, [.. theirs.Where(one => one.Parameter.dim() == 1).Select(one => one.Parameter)]);
        for (var step = 0; step < 20; step++)
        {
            for (var i = 0; i < ours.Length; i++)
            {
                var gradient = randn(Shapes[i].Shape) * Math.Pow(10, (i % 3) - 1);
                ours[i].Parameter.grad = gradient.clone();
                theirs[i].Parameter.grad = gradient;
            }

            optimizer.Step(0.01);
            decaying.step();
            others.step();
        }

        for (var i = 0; i < ours.Length; i++)
            Assert.True((ours[i].Parameter - theirs[i].Parameter).abs().max().item<float>() < 2e-6, Shapes[i].Name);
    }

    [Theory]
    [InlineData(OptimizerKind.Adam)]
    [InlineData(OptimizerKind.Sgd)]
    public void Step_NoGradient_LeavesParameterAndItsCountAlone(OptimizerKind kind)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(4);
        var parameters = Fresh();
        var before = parameters[1].Parameter.detach().clone();
        using var optimizer = ParameterOptimizer.Create(parameters, new OptimizerPlan { Kind = kind, WeightDecay = 0.5 });
        parameters[2].Parameter.grad = ones(5);
        optimizer.Step(0.1);
        Assert.True(before.Equals(parameters[1].Parameter));

        optimizer.ClearGradients();
        Assert.Null(parameters[2].Parameter.grad);
        var biases = parameters[2].Parameter.detach().clone();
        optimizer.Step(0.1);
        Assert.True(biases.Equals(parameters[2].Parameter));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Step_RowsWithoutGradient_MoveUnlessLazy(bool lazy)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(5);
        var parameters = Fresh();
        var table = parameters[0].Parameter;
        using var optimizer = ParameterOptimizer.Create(parameters, new OptimizerPlan { LazyEmbeddings = lazy });
        table.grad = ones(19, 7);
        optimizer.Step(0.1);
        var before = table.detach().clone();
        var gradient = zeros(19, 7);
        gradient[3, 2] = 1;
        table.grad = gradient;
        optimizer.Step(0.1);

        var moved = before.ne(table).any(1).data<bool>().ToArray();
        Assert.True(moved[3]);
        Assert.Equal(lazy ? 1 : 19, moved.Count(one => one));
    }

    [Fact]
    public void Load_OfAnotherKindOrCutShort_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var space = new Workspace();
        Directory.CreateDirectory(space.Checkpoint);
        var file = Path.Combine(space.Checkpoint, "moments");
        using var adam = ParameterOptimizer.Create(Fresh(), new OptimizerPlan());
        using var sgd = ParameterOptimizer.Create(Fresh(), new OptimizerPlan { Kind = OptimizerKind.Sgd });
        adam.Save(file);
        adam.Load(file);
        Assert.Contains("another optimiser", Assert.Throws<InvalidDataException>(() => sgd.Load(file)).Message, StringComparison.Ordinal);
        using (var stream = new FileStream(file, FileMode.Open))
            stream.SetLength(stream.Length - 3);
        Assert.Contains("cut short", Assert.Throws<InvalidDataException>(() => adam.Load(file)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(LearningRateSchedule.Constant, 0, 1, 1, 1)]
    [InlineData(LearningRateSchedule.Constant, 0.1, 0.1, 1, 1)]
    [InlineData(LearningRateSchedule.Cosine, 0, 1, 0.5, 0)]
    [InlineData(LearningRateSchedule.Cosine, 0.1, 0.1, 0.587, 0)]
    public void Factor_FirstMiddleAndLastStep_IsTheSchedules(LearningRateSchedule schedule, double warmUp, double first, double middle, double last)
    {
        var plan = new OptimizerPlan { Schedule = schedule, WarmUp = warmUp };
        Assert.Equal(first, plan.Factor(1, 100), 1e-3);
        Assert.Equal(middle, plan.Factor(51, 100), 1e-3);
        Assert.Equal(last, plan.Factor(100, 100), 1e-3);
        Assert.All(Enumerable.Range(1, 200), step => Assert.InRange(plan.Factor(step, 100), 0, 1));
    }

    private static optim.Optimizer Torch(OptimizerKind kind, double decay, Parameter[] parameters) => kind switch
    {
        OptimizerKind.Adam => optim.Adam(parameters, 0.01, weight_decay: decay),
        OptimizerKind.AdamW => optim.AdamW(parameters, 0.01, weight_decay: decay),
        _ => optim.SGD(parameters, 0.01, momentum: 0.8, weight_decay: decay),
    };

    private static (string Name, Parameter Parameter)[] Fresh() => [.. Shapes.Select(shape => (shape.Name, new Parameter(randn(shape.Shape))))];
}
