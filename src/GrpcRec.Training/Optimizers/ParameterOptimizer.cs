using GrpcRec.Training.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static GrpcRec.Training.Kernels.TensorMemory;
using static TorchSharp.torch;

namespace GrpcRec.Training.Optimizers;

/// <summary>
/// Steps on a model's parameters in one pass over weight, gradient and moments, where torch's own makes one for each operation. A parameter
/// without a gradient is left alone and its count of steps with it, as torch has it.
/// </summary>
internal abstract unsafe class ParameterOptimizer : IDisposable
{
    /// <summary>Numbers below which a second thread is not worth waking.</summary>
    private const long NumbersPerThread = 1 << 15;

    private readonly Slot[] _slots;

    /// <param name="parameters">By name, in a fixed order; contiguous float32.</param>
    /// <param name="moments">Numbers that are kept for each weight.</param>
    protected ParameterOptimizer(IEnumerable<(string Name, Parameter Parameter)> parameters, int moments, OptimizerPlan plan)
    {
        Plan = plan;
        Moments = moments;
        _slots = [.. parameters.Select(one => new Slot(one.Name, one.Parameter, moments))];
    }

    /// <summary>Numbers that are kept for each weight.</summary>
    public int Moments { get; }

    protected OptimizerPlan Plan { get; }

    /// <summary>Share of the learning rate that terms of items learn by.</summary>
    public double ItemTermRate { get; init; } = 1;

    public static ParameterOptimizer Create(IEnumerable<(string Name, Parameter Parameter)> parameters, OptimizerPlan plan, double itemTermRate = 1) => plan.Kind switch
    {
        OptimizerKind.Adam or OptimizerKind.AdamW => new AdamOptimizer(parameters, plan) { ItemTermRate = itemTermRate },
        OptimizerKind.Sgd => new MomentumOptimizer(parameters, plan) { ItemTermRate = itemTermRate },
        _ => throw new ArgumentOutOfRangeException(nameof(plan), plan.Kind, "not an optimiser"),
    };

    /// <summary>Forgets all gradients.</summary>
    public void ClearGradients()
    {
        foreach (var slot in _slots)
        {
            using var gradient = slot.Parameter.grad;
            if (gradient is not null)
                slot.Parameter.grad = null;
        }
    }

    /// <param name="learningRate">Of this step.</param>
    public void Step(double learningRate)
    {
        foreach (var slot in _slots)
        {
            using var gradient = slot.Parameter.grad;
            if (gradient is null)
                continue;
            using var plain = gradient.contiguous();
            slot.Steps++;
            var width = slot.Parameter.dim() > 1 ? (int)(slot.Parameter.numel() / slot.Parameter.shape[0]) : checked((int)slot.Parameter.numel());
            var rows = (int)(slot.Parameter.numel() / width);
            var decays = slot.Parameter.dim() > 1;
            var rate = IsItemTerm(slot.Name) ? learningRate * ItemTermRate : learningRate;
            var isLazy = Plan.LazyEmbeddings && slot.Name.EndsWith("embedding", StringComparison.Ordinal);
            var (weights, gradients, moments, length) = ((nint)Floats(slot.Parameter), (nint)Floats(plain), (nint)slot.Moments.Pointer, slot.Parameter.numel());
            var step = slot.Steps;
            ForEachPart(rows, (int)Math.Clamp((long)rows * width / NumbersPerThread, 1, Math.Min(rows, get_num_threads())), (first, end) =>
            {
                float* w = (float*)weights, g = (float*)gradients, m = (float*)moments;
                for (var row = first; row < end; row++)
                {
                    var at = (nint)row * width;
                    // As integers, which are searched by vectors.
                    if (isLazy && new ReadOnlySpan<int>(g + at, width).IndexOfAnyExcept(0) < 0)
                        continue;
                    Update(w + at, g + at, m + at, (nint)length, width, decays ? Plan.WeightDecay : 0, rate, step);
                }
            });
        }
    }

    /// <summary>All that it knows, into a file.</summary>
    public void Save(string file) => OptimizerFile.Write(file, Plan.Kind, [.. _slots.Select(slot => (slot.Name, slot.Steps, slot.Memory))]);

    /// <exception cref="InvalidDataException">The file is of another optimiser or model, or cut short.</exception>
    public void Load(string file)
    {
        var steps = OptimizerFile.Read(file, Plan.Kind, [.. _slots.Select(slot => (slot.Name, slot.Memory))]);
        for (var i = 0; i < steps.Length; i++)
            _slots[i].Steps = steps[i];
    }

    public void Dispose()
    {
        foreach (var slot in _slots)
            slot.Moments.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <param name="weights">[count] changed.</param>
    /// <param name="gradients">[count]</param>
    /// <param name="moments">[Moments] rows of [count], <paramref name="stride"/> floats apart; changed.</param>
    /// <param name="steps">Steps of this parameter, this one among them.</param>
    protected abstract void Update(float* weights, float* gradients, float* moments, nint stride, int count, double decay, double learningRate, long steps);

    private static bool IsItemTerm(string name) => name.StartsWith("task.", StringComparison.Ordinal) && name.EndsWith(".item_bias", StringComparison.Ordinal);

    private sealed class Slot(string name, Parameter parameter, int moments)
    {
        public string Name => name;

        public Parameter Parameter => parameter;

        public long Steps { get; set; }

        public NativeFloats Moments { get; } = new(moments * parameter.numel());

        public (nint Pointer, long Length) Memory => ((nint)Moments.Pointer, moments * parameter.numel());
    }
}
