namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>bottom = relu(W_s·s + W_e·e + W_x·x + b), for all tasks.</summary>
internal sealed unsafe class BottomTrunk(BottomWeights weights) : CpuTrunk(weights)
{
    private readonly AlignedBuffer _sequencePart = new(weights.OutputWidth);
    private readonly AlignedBuffer _output = new((long)TileRows * weights.OutputWidth);

    public override void Begin(float* state)
    {
        base.Begin(state);
        weights.Bottom.Begin(weights.Kernel, state, _sequencePart.Pointer);
    }

    public override void Run(ReadOnlySpan<int> items)
    {
        Gather(items, weights.ItemEmbedding, weights.HasItemTable);
        weights.Bottom.Run(
            weights.Kernel, items, Rows, Stride, weights.Embedding, _sequencePart.Pointer, First.Pointer, Second.Pointer, _output.Pointer, relu: true);
    }

    public override float* Output(int task) => _output.Pointer;

    public override void Dispose()
    {
        base.Dispose();
        _sequencePart.Dispose();
        _output.Dispose();
    }
}
