using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>LSTM steps: gather what an event adds to the gates' sums, add the recurrent product, activate.</summary>
internal sealed unsafe class LstmEncoder : CpuEncoder
{
    private readonly LstmWeights _weights;
    private readonly CpuScratch _scratch;

    public LstmEncoder(LstmWeights weights)
    {
        _weights = weights;
        _scratch = new CpuScratch(weights.Gates.Max(gates => gates.Depth), headWidth: 1);
    }

    public override void Advance(ReadOnlySpan<EventRun> runs, float** states, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        var events = stackalloc StepEvent[MaxRuns];
        var rows = stackalloc float*[MaxRuns];
        fixed (float* embedding = _weights.ItemEmbedding)
        {
            for (var t = 0; ; t++)
            {
                var count = 0;
                for (var r = 0; r < runs.Length; r++)
                {
                    if (t >= runs[r].Count)
                        continue;
                    events[count] = new StepEvent(runs[r].Slot, items[runs[r].Start + t], behaviors[runs[r].Start + t]);
                    rows[count++] = states[r];
                }

                if (count == 0)
                    return;
                Step(new ReadOnlySpan<StepEvent>(events, count), rows, embedding);
            }
        }
    }

    public override float* Hidden(float* state) => State(state, _weights.Layers - 1);

    public override void Dispose() => _scratch.Dispose();

    private void Step(ReadOnlySpan<StepEvent> events, float** slots, float* embedding)
    {
        var states = stackalloc float*[MaxRuns];
        for (var layer = 0; layer < _weights.Layers; layer++)
        {
            // 1. Inputs side by side: what comes from below, then the layer's own old state, which step 2 overwrites in its slot.
            for (var r = 0; r < events.Length; r++)
            {
                var e = events[r];
                var row = new Span<float>(_scratch.Rows + ((nint)r * _scratch.Stride), _scratch.Stride);
                _scratch.First[r] = _weights.Zero;
                _scratch.Second[r] = _weights.GateStart(layer, e.Behavior);
                if (layer > 0)
                {
                    new ReadOnlySpan<float>(State(slots[r], layer - 1), _weights.Hidden).CopyTo(row);
                    row = row[_weights.Hidden..];
                }
                else if (_weights.HasItemTable)
                {
                    _scratch.First[r] = _weights.GateRow(e.Item);
                }
                else
                {
                    new ReadOnlySpan<float>(embedding + ((long)e.Item * _weights.Embedding), _weights.Embedding).CopyTo(row);
                    row = row[_weights.Embedding..];
                }

                states[r] = State(slots[r], layer);
                new ReadOnlySpan<float>(states[r], _weights.Hidden).CopyTo(row);
            }

            // 2. Sums of 16 units' gates for up to six rows, stored, and then activated: in one loop the sums would spill.
            StepLayer(_weights.Gates[layer], states, events.Length);
        }
    }

    private void StepLayer(PackedMatrix gates, float** states, int rows)
    {
        var x = _scratch.Rows;
        var z = _scratch.Sums;
        nint stride = _scratch.Stride;
        for (var block = 0; block < gates.Blocks; block++)
        {
            var unit = block * PackedMatrix.UnitsPerBlock;
            for (var row = 0; row < rows;)
            {
                var count = _weights.Kernel.NextRows(rows - row);
                _weights.Kernel.Multiply(
                    count, gates.Block(block), gates.Depth, x + (row * stride), stride, _scratch.First + row, _scratch.Second + row,
                    (nint)block * BlockKernel.Columns, z);
                for (var r = 0; r < count; r++)
                {
                    var h = states[row + r] + unit;
                    _weights.Kernel.Lstm(z + (r * BlockKernel.Columns), h + _weights.Units, h);
                }

                row += count;
            }
        }
    }

    /// <summary>[2, Units] h and c of a layer.</summary>
    private float* State(float* slot, int layer) => slot + ((nint)layer * 2 * _weights.Units);
}
