using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>
/// A level of experts above the first: each task's experts and gate read its own mixture of the level below, the shared ones the shared
/// mixture. One product for the experts of an input, one for its gate.
/// </summary>
internal sealed unsafe class MixtureLevel : IDisposable
{
    private readonly Layer[] _experts, _gates;

    /// <param name="gateScale">Factor for the gates' weights and biases.</param>
    public MixtureLevel(ModelArtifact artifact, string[] tasks, int level, MixtureLayout layout, float gateScale)
    {
        Layout = layout;
        var size = artifact.Manifest.Encoder.BottomSize;
        _experts = new Layer[tasks.Length + 1];
        _gates = new Layer[tasks.Length + (layout.HasSharedGate ? 1 : 0)];
        for (var task = 0; task < tasks.Length; task++)
        {
            var name = tasks[task];
            _experts[task] = Stack(artifact, size, layout, layout.TaskExperts, i => ModelTensors.TaskExpertWeight(level, name, i), i => ModelTensors.TaskExpertBias(level, name, i));
            _gates[task] = Gate(artifact, size, ModelTensors.GateWeight(level, name), ModelTensors.GateBias(level, name), gateScale);
        }

        _experts[tasks.Length] = Stack(artifact, size, layout, layout.SharedExperts, i => ModelTensors.SharedExpertWeight(level, i), i => ModelTensors.SharedExpertBias(level, i));
        if (layout.HasSharedGate)
            _gates[tasks.Length] = Gate(artifact, size, ModelTensors.SharedGateWeight(level), ModelTensors.SharedGateBias(level), gateScale);
    }

    public MixtureLayout Layout { get; }

    /// <param name="task">Whose experts; Layout.Tasks: the shared ones.</param>
    /// <param name="x">[rows, stride] the input.</param>
    /// <param name="first">[rows] scratch.</param>
    /// <param name="experts">[rows, Layout.ExpertsWidth] their columns written.</param>
    public void RunExperts(BlockKernel kernel, int task, float* x, nint stride, int rows, float** first, float* experts) =>
        _experts[task].Run(kernel, x, stride, rows, first, experts + (task == Layout.Tasks ? 0 : Layout.TaskExpertsAt(task)), Layout.ExpertsWidth, relu: true);

    /// <param name="task">Whose gate; Layout.Tasks: the shared one, where there is one.</param>
    /// <param name="gates">[rows, Layout.GatesWidth] its columns written.</param>
    public void RunGate(BlockKernel kernel, int task, float* x, nint stride, int rows, float** first, float* gates) =>
        _gates[task].Run(kernel, x, stride, rows, first, gates + Layout.GateAt(task), Layout.GatesWidth, relu: false);

    public void Dispose()
    {
        foreach (var layer in _experts.Concat(_gates))
            layer.Dispose();
    }

    private static Layer Stack(ModelArtifact artifact, int size, MixtureLayout layout, int count, Func<int, string> weight, Func<int, string> bias)
    {
        var columns = count * layout.ExpertStride;
        var rows = new float[columns * size];
        var start = new AlignedBuffer(PackedMatrix.PaddedWidth(columns));
        for (var i = 0; i < count; i++)
        {
            artifact.Weights(weight(i)).CopyTo(rows.AsSpan(i * layout.ExpertStride * size));
            artifact.Weights(bias(i)).CopyTo(new Span<float>(start.Pointer + (i * layout.ExpertStride), size));
        }

        return new Layer(PackedMatrix.FromRows(columns, rows), start);
    }

    private static Layer Gate(ModelArtifact artifact, int size, string weight, string bias, float scale)
    {
        var values = artifact.Weights(bias);
        var start = new AlignedBuffer(PackedMatrix.PaddedWidth(values.Length));
        new Span<float>(start.Pointer, (int)start.Length).Fill(MixtureWeights.Never);
        for (var k = 0; k < values.Length; k++)
            start.Pointer[k] = values[k] * scale;
        return new Layer(PackedMatrix.FromRows(values.Length, Array.ConvertAll(artifact.WeightArray(weight), value => value * scale)), start);
    }

    /// <param name="Start">[Weights.Width] bias.</param>
    private sealed record Layer(PackedMatrix Weights, AlignedBuffer Start) : IDisposable
    {
        public void Run(BlockKernel kernel, float* x, nint stride, int rows, float** first, float* y, nint yStride, bool relu)
        {
            for (var r = 0; r < rows; r++)
                first[r] = Start.Pointer;
            Weights.Multiply(kernel, x, stride, rows, first, null, y, relu, yStride);
        }

        public void Dispose()
        {
            Weights.Dispose();
            Start.Dispose();
        }
    }
}
