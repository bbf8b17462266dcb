using System.Globalization;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu;

/// <summary>
/// The default engine: managed SIMD over packed weights. A step gathers what an event adds to the gates' sums from tables built at load,
/// adds the recurrent product, and activates; a row's result does not depend on its company (<see cref="BlockKernel"/>).
/// </summary>
public sealed unsafe class CpuEngine : IStepEngine
{
    private const int TileRows = CpuScratch.TileRows;

    private readonly ModelArtifact _artifact;
    private readonly long _tableBudgetBytes;
    private readonly CpuModel _model;
    private readonly HeadLayout _layout;
    private readonly SlotTable _slots;
    private readonly CpuScratch _scratch;
    private readonly CatalogScan _scan;
    private readonly CpuHeads _heads;
    private readonly int _behaviors;

    // H padded to whole vectors; a layer's state is h then c, each this long.
    private readonly int _units;

    // [capacity, layers, 2, units].
    private readonly AlignedBuffer _states;
    private bool _disposed;

    /// <exception cref="EngineException">The machine has not the memory for the weights or the slots.</exception>
    public CpuEngine(ModelArtifact artifact, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(artifact);
        ArgumentNullException.ThrowIfNull(options);
        _artifact = artifact;
        _tableBudgetBytes = options.GateTableBudgetBytes;
        _layout = new HeadLayout(artifact.Manifest);
        _slots = new SlotTable(options.SlotCapacity);
        _behaviors = artifact.Manifest.Behaviors.Count;
        _units = PackedMatrix.PaddedUnits(artifact.Manifest.Encoder.HiddenSize);
        _states = new AlignedBuffer((long)options.SlotCapacity * artifact.Manifest.Encoder.Layers * 2 * _units);
        try
        {
            _model = CpuModelCache.Acquire(artifact, _tableBudgetBytes);
        }
        catch
        {
            _states.Dispose();
            throw;
        }

        _scratch = new CpuScratch(_model);
        _scan = new CatalogScan(_model, _scratch);
        _heads = new CpuHeads(_model, _scratch, _scan, _layout);
    }

    /// <summary>The processor has vectors and fused multiply-add that make this engine worth choosing.</summary>
    public static bool IsAccelerated => Vector512.IsHardwareAccelerated || (Vector256.IsHardwareAccelerated && Fma.IsSupported) || AdvSimd.Arm64.IsSupported;

    public string Name =>
        Vector512.IsHardwareAccelerated ? "cpu-avx512"
        : Vector256.IsHardwareAccelerated && Fma.IsSupported ? "cpu-avx2"
        : AdvSimd.Arm64.IsSupported ? "cpu-neon"
        : "cpu-portable";

    /// <summary>The items' part of the gates is read from a table; false: computed in each step, because the table is past the budget.</summary>
    public bool UsesGateTable => _model.HasGateTable;

    /// <summary>The same of the items' part of the candidate tasks' bottom.</summary>
    public bool UsesBottomTable => _model.Heads.HasBottomTable;

    /// <summary>Memory of the tables, shared by the engines of an artefact.</summary>
    public long TableBytes => _model.TableBytes;

    /// <summary>What was chosen at load, for the log.</summary>
    public string Description => string.Create(CultureInfo.InvariantCulture,
        $"{Name}, gate table {(UsesGateTable ? "in memory" : "computed per step")}, bottom table {(UsesBottomTable ? "in memory" : "none")}, {TableBytes / (1024.0 * 1024.0):F1} MiB of tables");

    public int HiddenSize => _model.Hidden;

    public int CatalogSize => _layout.CatalogSize;

    public int CandidateWidth => _layout.CandidateWidth;

    public int SequenceWidth => _layout.SequenceWidth;

    public int SlotCapacity => _slots.Capacity;

    public int FreeSlots => _slots.Free;

    public bool TryRent(out Slot slot)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (!_slots.TryRent(out slot))
            return false;
        new Span<float>(State(slot, 0), _model.Layers * 2 * _units).Clear();
        return true;
    }

    public void Return(Slot slot)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _slots.Return(slot);
    }

    public void Step(ReadOnlySpan<StepEvent> events)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _slots.Check(events, CatalogSize, _behaviors);
        fixed (float* embedding = _model.ItemEmbedding)
        {
            for (var done = 0; done < events.Length; done += TileRows)
                StepTile(events.Slice(done, Math.Min(TileRows, events.Length - done)), embedding);
        }

        GC.KeepAlive(this);
    }

    public void ReadHidden(Slot slot, Span<float> hidden)
    {
        HeadLayout.CheckLength(hidden.Length, HiddenSize, nameof(hidden));
        new ReadOnlySpan<float>(Top(slot), HiddenSize).CopyTo(hidden);
        GC.KeepAlive(this);
    }

    public void ScoreCandidates(Slot slot, ReadOnlySpan<int> items, Span<float> logits)
    {
        var top = Top(slot);
        _layout.CheckCandidates(items, logits.Length);
        _heads.ScoreCandidates(Widened(top), items, logits);
        GC.KeepAlive(this);
    }

    public void ScoreSequence(Slot slot, Span<float> logits)
    {
        var top = Top(slot);
        HeadLayout.CheckLength(logits.Length, SequenceWidth, nameof(logits));
        _heads.ScoreSequence(Widened(top), logits);
        GC.KeepAlive(this);
    }

    public void ScoreCatalog(Slot slot, Span<float> logits)
    {
        var top = Top(slot);
        _layout.CheckNextItem();
        HeadLayout.CheckLength(logits.Length, CatalogSize, nameof(logits));
        _scan.ScoreAll(top, logits);
        GC.KeepAlive(this);
    }

    public void Rank(ReadOnlySpan<RankQuery> queries)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _layout.CheckQueries(queries, _slots);
        var hidden = stackalloc float*[TileRows];
        for (var done = 0; done < queries.Length; done += TileRows)
        {
            var tile = queries.Slice(done, Math.Min(TileRows, queries.Length - done));
            for (var n = 0; n < tile.Length; n++)
                hidden[n] = Top(tile[n].Slot);
            _scan.Rank(hidden, tile);
        }

        GC.KeepAlive(this);
    }

    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _states.Dispose();
        _scratch.Dispose();
        CpuModelCache.Release(_artifact, _tableBudgetBytes);
    }

    private void StepTile(ReadOnlySpan<StepEvent> events, float* embedding)
    {
        var states = stackalloc float*[TileRows];
        for (var layer = 0; layer < _model.Layers; layer++)
        {
            // 1. Inputs side by side: what comes from below, then the layer's own old state, which step 2 overwrites in its slot.
            for (var r = 0; r < events.Length; r++)
            {
                var e = events[r];
                var row = new Span<float>(_scratch.Rows + ((nint)r * _scratch.Stride), _scratch.Stride);
                _scratch.First[r] = _model.Zero;
                _scratch.Second[r] = _model.GateStart(layer, e.Behavior);
                if (layer > 0)
                {
                    new ReadOnlySpan<float>(State(e.Slot, layer - 1), _model.Hidden).CopyTo(row);
                    row = row[_model.Hidden..];
                }
                else if (_model.HasGateTable)
                {
                    _scratch.First[r] = _model.GateRow(e.Item);
                }
                else
                {
                    new ReadOnlySpan<float>(embedding + ((long)e.Item * _model.Embedding), _model.Embedding).CopyTo(row);
                    row = row[_model.Embedding..];
                }

                states[r] = State(e.Slot, layer);
                new ReadOnlySpan<float>(states[r], _model.Hidden).CopyTo(row);
            }

            // 2. Sums of 16 units' gates for up to six rows, stored, and then activated: in one loop the sums would spill.
            StepLayer(_model.Gates[layer], states, events.Length);
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
                var count = BlockKernel.NextRows(rows - row);
                BlockKernel.Multiply(
                    count, gates.Block(block), gates.Depth, x + (row * stride), stride, _scratch.First + row, _scratch.Second + row,
                    (nint)block * BlockKernel.Columns, z);
                for (var r = 0; r < count; r++)
                {
                    var h = states[row + r] + unit;
                    GateActivation.Apply(z + (r * BlockKernel.Columns), h + _units, h);
                }

                row += count;
            }
        }
    }

    /// <summary>[2, units] h and c of a layer.</summary>
    private float* State(Slot slot, int layer) => _states.Pointer + ((((long)slot.Index * _model.Layers) + layer) * 2 * _units);

    /// <summary>[H] the top layer's hidden state of a rented slot.</summary>
    private float* Top(Slot slot)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        _slots.Check(slot);
        return State(slot, _model.Layers - 1);
    }

    /// <summary>[H padded to 64] a copy, for products that read whole blocks.</summary>
    private float* Widened(float* hidden)
    {
        new ReadOnlySpan<float>(hidden, _model.Hidden).CopyTo(new Span<float>(_scratch.Hidden, _model.Hidden));
        return _scratch.Hidden;
    }
}
