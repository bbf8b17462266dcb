using GrpcRec.Engine.Cuda.Driver;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

/// <summary>The resident states of an engine's slots: [layers][capacity + 1, Hp] h, and the same of c for an LSTM. The last row is nobody's: padding runs point at it.</summary>
internal sealed class CudaStates
{
    private readonly CudaShape _shape;
    private readonly DeviceMemory _memory;
    private readonly int _rows;
    private readonly List<int> _fresh = [];

    public CudaStates(CudaModel model, CudaParts parts, int capacity)
    {
        _shape = model.Shape;
        _rows = capacity + 1;
        _memory = parts.Own(DeviceMemory.Allocate(model.Context, model.Budget, (long)_rows * _shape.StateFloats * sizeof(float), $"the state of {capacity} slots"));
        _fresh.Add(capacity);
    }

    public long Bytes => _memory.Bytes;

    public int SpareRow => _rows - 1;

    public ulong H(int layer) => _memory.Address + (LayerBytes * (ulong)layer);

    /// <summary>LSTM only.</summary>
    public ulong C(int layer) => _memory.Address + (LayerBytes * (ulong)(_shape.Layers + layer));

    /// <summary>Zero before it is next read. No call of the driver here, so that renting cannot fail.</summary>
    public void Renew(Slot slot) => _fresh.Add(slot.Index);

    /// <summary>Queues the clearing of what was rented since.</summary>
    public void Clear(CudaStream stream)
    {
        var rowBytes = (ulong)_shape.HiddenPadded * sizeof(float);
        var arrays = _shape.StateFloats / _shape.HiddenPadded;
        // Slots are handed out in order as far as they can be: rows that lie side by side are cleared as one.
        _fresh.Sort();
        for (var first = 0; first < _fresh.Count;)
        {
            var end = first + 1;
            while (end < _fresh.Count && _fresh[end] <= _fresh[end - 1] + 1)
                end++;
            for (var array = 0; array < arrays; array++)
                stream.Clear(_memory.Address + (LayerBytes * (ulong)array) + ((ulong)_fresh[first] * rowBytes), (long)rowBytes * (_fresh[end - 1] - _fresh[first] + 1));
            first = end;
        }

        _fresh.Clear();
    }

    private ulong LayerBytes => (ulong)_rows * (ulong)_shape.HiddenPadded * sizeof(float);
}
