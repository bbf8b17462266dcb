namespace GrpcRec.Engine.Cpu.Trunks;

/// <summary>Runs levels of experts: products, softmax of the gates, mixtures.</summary>
internal sealed unsafe class MixtureTrunk : CpuTrunk
{
    private readonly MixtureWeights _weights;

    // [experts or gates of level 0] the sequence's part of their sums.
    private readonly AlignedBuffer _expertsStart, _gatesStart;

    // [TileRows, widest level] sums of one level.
    private readonly AlignedBuffer _experts, _gates;

    // [TileRows, OutputWidth] of each task, and the shared one where a level above reads it. Two sets: a level reads one and writes the other.
    private readonly AlignedBuffer[][] _mixtures;

    public MixtureTrunk(MixtureWeights weights)
        : base(weights)
    {
        _weights = weights;
        _expertsStart = new AlignedBuffer(weights.First.ExpertsWidth);
        _gatesStart = new AlignedBuffer(weights.First.GatesWidth);
        _experts = new AlignedBuffer((long)TileRows * weights.Upper.Select(level => level.Layout.ExpertsWidth).Append(weights.First.ExpertsWidth).Max());
        _gates = new AlignedBuffer((long)TileRows * weights.Upper.Select(level => level.Layout.GatesWidth).Append(weights.First.GatesWidth).Max());
        _mixtures = new AlignedBuffer[Math.Min(2, weights.Upper.Length + 1)][];
        for (var set = 0; set < _mixtures.Length; set++)
        {
            _mixtures[set] = new AlignedBuffer[weights.Tasks + 1];
            for (var task = 0; task <= weights.Tasks; task++)
                _mixtures[set][task] = new AlignedBuffer((long)TileRows * weights.OutputWidth);
        }
    }

    public override void Begin(float* state)
    {
        base.Begin(state);
        foreach (var part in _weights.Parts)
        {
            part.Experts.Begin(_weights.Kernel, state, _expertsStart.Pointer + part.ExpertsAt);
            part.Gates?.Begin(_weights.Kernel, state, _gatesStart.Pointer + part.GatesAt);
        }
    }

    public override void Run(ReadOnlySpan<int> items)
    {
        // 1. Level 0: with stem each task's part on its own item embedding, else all at once.
        var kernel = _weights.Kernel;
        foreach (var part in _weights.Parts)
        {
            Gather(items, part.ItemEmbedding, part.HasItemTable);
            part.Experts.Run(
                kernel, items, Rows, Stride, _weights.Embedding, _expertsStart.Pointer + part.ExpertsAt, First.Pointer, Second.Pointer,
                _experts.Pointer + part.ExpertsAt, relu: true, _weights.First.ExpertsWidth);
            part.Gates?.Run(
                kernel, items, Rows, Stride, _weights.Embedding, _gatesStart.Pointer + part.GatesAt, First.Pointer, Second.Pointer,
                _gates.Pointer + part.GatesAt, relu: false, _weights.First.GatesWidth);
        }

        Mix(_weights.First, items.Length, _mixtures[0]);

        // 2. The levels above, each on the mixtures of the one below.
        for (var n = 0; n < _weights.Upper.Length; n++)
        {
            var level = _weights.Upper[n];
            var inputs = _mixtures[n % 2];
            for (var task = 0; task <= _weights.Tasks; task++)
            {
                level.RunExperts(kernel, task, inputs[task].Pointer, _weights.OutputWidth, items.Length, First.Pointer, _experts.Pointer);
                if (task < _weights.Tasks || level.Layout.HasSharedGate)
                    level.RunGate(kernel, task, inputs[task].Pointer, _weights.OutputWidth, items.Length, First.Pointer, _gates.Pointer);
            }

            Mix(level.Layout, items.Length, _mixtures[(n + 1) % 2]);
        }
    }

    public override float* Output(int task) => _mixtures[_weights.Upper.Length % 2][task].Pointer;

    public override void Dispose()
    {
        base.Dispose();
        foreach (var buffer in _mixtures.SelectMany(set => set).Concat([_expertsStart, _gatesStart, _experts, _gates]))
            buffer.Dispose();
    }

    /// <summary>Each task's mixture of its own experts (with stem, all tasks') and the shared, and where a level follows the shared mixture of all.</summary>
    private void Mix(MixtureLayout layout, int rows, AlignedBuffer[] mixtures)
    {
        for (var r = 0; r < rows; r++)
        {
            var experts = _experts.Pointer + ((nint)r * layout.ExpertsWidth);
            var gates = _gates.Pointer + ((nint)r * layout.GatesWidth);
            for (var task = 0; task < layout.Tasks + (layout.HasSharedGate ? 1 : 0); task++)
            {
                var gate = gates + layout.GateAt(task);
                var y = mixtures[task].Pointer + ((nint)r * _weights.OutputWidth);
                new Span<float>(y, layout.ExpertStride).Clear();
                _weights.Kernel.Softmax(gate, PackedMatrix.PaddedUnits(layout.Choices(task)));
                var (from, to) = layout.Owners(task);
                for (var owner = from; owner < to; owner++)
                    gate = Add(layout, gate, experts + layout.TaskExpertsAt(owner), layout.TaskExperts, y);
                Add(layout, gate, experts, layout.SharedExperts, y);
            }
        }
    }

    /// <returns>The gate's next weight.</returns>
    private float* Add(MixtureLayout layout, float* gate, float* experts, int count, float* y)
    {
        for (var i = 0; i < count; i++, experts += layout.ExpertStride)
            _weights.Kernel.AddScaled(gate[i], experts, y, layout.ExpertStride);
        return gate + count;
    }
}
