using GrpcRec.Engine.Cuda.Driver;

namespace GrpcRec.Engine.Cuda;

/// <summary>
/// Queues the launches that advance a chunk through all layers: the persistent path with one launch a layer, the step path with one or two
/// for each step. Both read the chunk's staging and nothing else that changes from batch to batch, so they can be captured.
/// </summary>
internal sealed class CudaSteps
{
    private const int UnitsPerBlock = 32, RunsPerBlock = 32, RunsPerPersistentBlock = 8, RowsThreads = 256, RowsElements = 1024;

    private readonly CudaModel _model;
    private readonly CudaParts _parts;
    private readonly CudaShape _shape;
    private readonly CudaStates _states;
    private readonly DeviceMemory[] _hiddenEvents;
    private readonly DeviceMemory? _gateRows, _hiddenFirst, _resetHidden, _updateGate;
    private readonly CudaFunction? _persistent, _step, _beforeGates, _beforeCandidate, _project, _rows;
    private readonly CudaFunction _dense;

    /// <param name="maxRuns">Of a chunk, rounded as it rounds.</param>
    /// <param name="maxEvents">Likewise.</param>
    public CudaSteps(CudaModel model, CudaParts parts, CudaStates states, int maxRuns, int maxEvents)
    {
        (_model, _parts, _shape, _states) = (model, parts, model.Shape, states);
        var name = _shape.Element.Suffix();
        var elements = (long)_shape.Element.Bytes() * _shape.HiddenPadded;
        var gates = _shape.Gates;
        if (_shape.IsPersistent)
        {
            _persistent = model.Module.Function($"gr_{_shape.CellName}_persistent_{name}_h{_shape.HiddenPadded}", 2 * _shape.HiddenPadded);
        }
        else
        {
            _rows = model.Module.Function($"gr_rows_{name}", RowsThreads);
            _hiddenFirst = Allocate(maxRuns * elements, "the states of a step");
            if (_shape.Cell == CudaCell.GruBefore)
            {
                _beforeGates = model.Module.Function($"gr_gru_before_gates_{name}", 64);
                _beforeCandidate = model.Module.Function($"gr_gru_before_candidate_{name}", 32);
                _resetHidden = Allocate(maxRuns * elements, "the states of a step");
                _updateGate = Allocate((long)maxRuns * _shape.HiddenPadded * sizeof(float), "the states of a step");
            }
            else
            {
                _step = model.Module.Function($"gr_{_shape.CellName}_step_{name}", 32 * gates);
            }
        }

        _dense = _shape.GateRowsFunction(model.Module);
        var hasUpper = _shape.Layers > 1;
        if (hasUpper)
            _project = model.Module.Function($"gr_project_{(gates == 4 ? "lstm" : "gru")}_{name}", 32 * gates);
        // The step path reads its own hidden states of earlier events, so it always writes them; two, for the layer below and this one.
        var buffers = hasUpper ? 2 : _shape.IsPersistent ? 0 : 1;
        _hiddenEvents = [.. Enumerable.Range(0, buffers).Select(_ => Allocate(maxEvents * elements, "the hidden states of a batch"))];
        if (hasUpper || model.Layers[0].ItemRows == 0)
            _gateRows = Allocate((long)maxEvents * _shape.HiddenPadded * 4 * _shape.Element.GateRows().Bytes(), "the input projections of a batch");
        foreach (var function in new[] { _persistent, _step, _beforeGates, _project })
        {
            if (function is not null)
                CudaMetrics.Occupied(function.Name, function.Occupancy());
        }
    }

    public long Bytes => _hiddenEvents.Append(_gateRows).Append(_hiddenFirst).Append(_resetHidden).Append(_updateGate).Sum(memory => memory?.Bytes ?? 0);

    /// <summary>The kernel that does most of the work, for descriptions.</summary>
    public CudaFunction Main => _persistent ?? _step ?? _beforeGates!;

    /// <param name="staging">Address of the chunk's arrays.</param>
    /// <param name="runsAtStep">Step path: how many runs, which are sorted by length, have an event at each step; null: all are launched.</param>
    public void Enqueue(CudaStream stream, ulong staging, CudaChunk chunk, ReadOnlySpan<int> runsAtStep)
    {
        ulong At(int word) => staging + ((ulong)word * sizeof(int));
        for (var layer = 0; layer < _shape.Layers; layer++)
        {
            var weights = _model.Layers[layer];
            var arguments = new RecurrentArguments
            {
                Weights = weights.Weights,
                GateRows = weights.ItemRows,
                BehaviorRows = weights.BehaviorRows,
                Items = weights.ItemRows == 0 ? 0 : At(chunk.Items),
                Behaviors = At(chunk.Behaviors),
                Slots = At(CudaChunk.Slots),
                Starts = At(chunk.Starts),
                Counts = At(chunk.Counts),
                StateH = _states.H(layer),
                StateC = _shape.Cell == CudaCell.Lstm ? _states.C(layer) : 0,
                ResetBias = weights.ResetBias,
                HiddenEvents = _hiddenEvents.Length == 0 || (_shape.IsPersistent && layer == _shape.Layers - 1) ? 0 : _hiddenEvents[layer % _hiddenEvents.Length].Address,
                Runs = chunk.Runs,
                Hidden = _shape.HiddenPadded,
            };
            if (weights.ItemRows == 0)
            {
                arguments.GateRows = _gateRows!.Address;
                Project(stream, layer, At(chunk.Items), chunk.Events);
            }

            if (_persistent is not null)
                _persistent.Launch(stream, DenseLayer.Ceiling(chunk.Runs, RunsPerPersistentBlock), 1, arguments);
            else
                Step(stream, arguments, chunk, runsAtStep);
        }
    }

    /// <summary>Input projections for the events of this chunk: of their items, or of the layer below.</summary>
    private void Project(CudaStream stream, int layer, ulong items, int events)
    {
        var weights = _model.Layers[layer];
        if (layer > 0)
        {
            _project!.Launch(stream, _shape.HiddenPadded / UnitsPerBlock, DenseLayer.Ceiling(events, RunsPerBlock), new ProjectArguments
            {
                Weights = weights.ProjectionWeights, Input = _hiddenEvents[(layer - 1) % 2].Address, Bias = weights.ProjectionBias, Out = _gateRows!.Address,
                Rows = events, Inner = _shape.HiddenPadded, Hidden = _shape.HiddenPadded,
            });
            return;
        }

        var embedding = _model.Artifact.Manifest.Encoder.EmbeddingSize;
        DenseLayer.Launch(_dense, stream, new DenseArguments
        {
            In = _model.Items, Rows = items, Weights = weights.ProjectionWeights, Bias = weights.ProjectionBias, Out = _gateRows!.Address,
            Count = events, Columns = 4 * _shape.HiddenPadded, Inner = embedding,
            LdIn = _shape.EmbeddingPadded, LdWeights = embedding, LdOut = 4 * _shape.HiddenPadded,
        });
    }

    private void Step(CudaStream stream, RecurrentArguments arguments, CudaChunk chunk, ReadOnlySpan<int> runsAtStep)
    {
        arguments.HiddenFirst = _hiddenFirst!.Address;
        arguments.ResetHidden = _resetHidden?.Address ?? 0;
        arguments.UpdateGate = _updateGate?.Address ?? 0;
        _rows!.Launch(stream, DenseLayer.Ceiling(chunk.Runs * _shape.HiddenPadded, RowsElements), 1, new RowsArguments
        {
            In = arguments.StateH, Rows = arguments.Slots, Out = _hiddenFirst.Address, Count = chunk.Runs, Width = _shape.HiddenPadded,
        });
        var columns = _shape.HiddenPadded / UnitsPerBlock;
        var steps = runsAtStep.IsEmpty ? chunk.Steps : runsAtStep.Length;
        for (var step = 0; step < steps; step++)
        {
            arguments.Step = step;
            arguments.Runs = runsAtStep.IsEmpty ? chunk.Runs : runsAtStep[step];
            var rows = DenseLayer.Ceiling(arguments.Runs, RunsPerBlock);
            if (_step is not null)
            {
                _step.Launch(stream, columns, rows, arguments);
                continue;
            }

            _beforeGates!.Launch(stream, columns, rows, arguments);
            _beforeCandidate!.Launch(stream, columns, rows, arguments);
        }
    }

    private DeviceMemory Allocate(long bytes, string what) => _parts.Own(DeviceMemory.Allocate(_model.Context, _model.Budget, bytes, what));
}
