using GrpcRec.Engine.Steps;

namespace GrpcRec.Serving.Batching;

/// <summary>The runs of events that one call of the engine reads. Sized once.</summary>
/// <param name="rows">Sequences at most.</param>
/// <param name="events">Events at most, of all rows together; a single event of each row always fits.</param>
internal sealed class RunBatch(int rows, int events)
{
    private readonly BatchRequest[] _requests = new BatchRequest[rows];
    private readonly EventRun[] _runs = new EventRun[rows];
    private readonly int[] _items = new int[Math.Max(rows, events)];
    private readonly int[] _behaviors = new int[Math.Max(rows, events)];
    private int _events;

    public int Count { get; private set; }

    public bool IsFull => Count == _requests.Length;

    public ReadOnlySpan<BatchRequest> Requests => _requests.AsSpan(0, Count);

    public void Add(BatchRequest request) => _requests[Count++] = request;

    /// <summary>Reads the next <paramref name="steps"/> events of every row, or as many as it has left. Positions move only when the engine did not throw.</summary>
    /// <returns>Events read.</returns>
    public int Advance(IStepEngine engine, int steps)
    {
        _events = 0;
        for (var row = 0; row < Count; row++)
        {
            var request = _requests[row];
            var count = Math.Min(steps, request.EventsLeft);
            request.Items.AsSpan(request.Position, count).CopyTo(_items.AsSpan(_events));
            request.Behaviors.AsSpan(request.Position, count).CopyTo(_behaviors.AsSpan(_events));
            _runs[row] = new EventRun(request.Slot!.Value, _events, count);
            _events += count;
        }

        engine.Advance(_runs.AsSpan(0, Count), _items.AsSpan(0, _events), _behaviors.AsSpan(0, _events));
        for (var row = 0; row < Count; row++)
            _requests[row].Position += _runs[row].Count;
        return _events;
    }

    /// <summary>Holds on to no request.</summary>
    public void Clear()
    {
        Array.Clear(_requests, 0, Count);
        Count = 0;
    }
}
