using GrpcRec.Engine.Cuda.Driver;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

/// <summary>
/// Brings batches of runs to the device: cuts them into chunks, fills the staging ring, queues the copy on one stream and the launches on
/// another, and goes on without waiting. Shapes that come again are captured into graphs.
/// </summary>
internal sealed class CudaAdvance : IDisposable
{
    /// <summary>Two batches may be on their way while a third is filled.</summary>
    private const int Ring = 3;

    private const int MaxGraphs = 64, CaptureAtUse = 3, MaxGraphSteps = 64;

    private readonly CudaStream _copies;
    private readonly CudaStream _computing;
    private readonly CudaStates _states;
    private readonly CudaSteps _steps;
    private readonly CudaStaging[] _staging;
    private readonly int _maxRuns, _maxEvents;
    private readonly bool _persistent, _graphs;
    private readonly Dictionary<(int Place, CudaChunk Chunk), CudaGraph> _captured = [];
    private readonly Dictionary<CudaChunk, int> _uses = [];
    private readonly int[] _order, _keys, _done, _taken, _runsAtStep;
    private int _next;

    public CudaAdvance(CudaModel model, CudaParts parts, CudaStates states, CudaStream computing, int capacity, bool graphs)
    {
        (_states, _computing, _graphs) = (states, computing, graphs);
        _persistent = model.Shape.IsPersistent;
        // Work memory of a chunk stays below a few MiB whatever the width.
        _maxEvents = CudaChunk.RoundUp(Math.Clamp((1 << 20) / model.Shape.HiddenPadded, 1024, 8192));
        _maxRuns = Math.Min(capacity, _maxEvents);
        var roundedRuns = CudaChunk.Of(_maxRuns, 1, 0).Runs;
        _copies = parts.Own(new CudaStream(model.Context));
        _steps = new CudaSteps(model, parts, states, roundedRuns, _maxEvents);
        _staging = [.. Enumerable.Range(0, Ring).Select(_ => new CudaStaging(model.Context, model.Budget, parts, CudaChunk.WordsOf(_maxRuns, _maxEvents)))];
        _order = new int[capacity];
        _keys = new int[capacity];
        _done = new int[capacity];
        _taken = new int[_maxRuns];
        _runsAtStep = new int[_maxEvents];
    }

    public CudaFunction Main => _steps.Main;

    public long WorkBytes => _steps.Bytes + _staging.Sum(staging => (long)staging.Words * sizeof(int));

    /// <summary>Queues all runs. They were checked.</summary>
    public void Run(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        _states.Clear(_computing);
        // 1. Longest first: blocks then hold runs of like length, and a step's active runs stand in front.
        var count = 0;
        for (var n = 0; n < runs.Length; n++)
        {
            if (runs[n].Count == 0)
                continue;
            _order[count] = n;
            _keys[count++] = -runs[n].Count;
            _done[n] = 0;
        }

        Array.Sort(_keys, _order, 0, count);
        // 2. Piece by piece: some runs, some events of each; a run that is cut goes on in a later piece of the same stream.
        for (var first = 0; first < count; first += _maxRuns)
        {
            var some = Math.Min(_maxRuns, count - first);
            while (some > 0)
            {
                Piece(runs, items, behaviors, _order.AsSpan(first, some));
                // Those that are done stand at the end.
                while (some > 0 && _done[_order[first + some - 1]] == runs[_order[first + some - 1]].Count)
                    some--;
            }
        }
    }

    /// <summary>Its graphs: the rest is the engine's.</summary>
    public void Dispose()
    {
        foreach (var graph in _captured.Values)
            graph.Dispose();
    }

    /// <param name="order">Runs by descending length; at most <see cref="_maxRuns"/>.</param>
    private void Piece(ReadOnlySpan<EventRun> runs, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors, ReadOnlySpan<int> order)
    {
        // 1. Events of each run: its rest, or an even share.
        var share = Math.Max(1, _maxEvents / order.Length);
        int events = 0, longest = 0;
        for (var i = 0; i < order.Length; i++)
        {
            _taken[i] = Math.Min(share, runs[order[i]].Count - _done[order[i]]);
            events += _taken[i];
            longest = Math.Max(longest, _taken[i]);
        }

        // 2. The staging's five arrays.
        var chunk = CudaChunk.Of(order.Length, events, _persistent ? 0 : longest);
        var place = _next;
        _next = (_next + 1) % Ring;
        var staging = _staging[place];
        var words = staging.Begin();
        words[..chunk.Words].Clear();
        words[CudaChunk.Slots..(CudaChunk.Slots + chunk.Runs)].Fill(_states.SpareRow);
        var at = 0;
        for (var i = 0; i < order.Length; i++)
        {
            var run = runs[order[i]];
            words[CudaChunk.Slots + i] = run.Slot.Index;
            words[chunk.Starts + i] = at;
            words[chunk.Counts + i] = _taken[i];
            items.Slice(run.Start + _done[order[i]], _taken[i]).CopyTo(words[(chunk.Items + at)..]);
            behaviors.Slice(run.Start + _done[order[i]], _taken[i]).CopyTo(words[(chunk.Behaviors + at)..]);
            at += _taken[i];
            _done[order[i]] += _taken[i];
        }

        // 3. Copy, launches, mark.
        staging.Send(chunk.Words, _copies, _computing);
        if (GraphOf(place, chunk) is { } graph)
            graph.Launch(_computing);
        else
            _steps.Enqueue(_computing, staging.Device, chunk, RunsAtStep(order.Length, longest));
        staging.End(_computing);
    }

    private ReadOnlySpan<int> RunsAtStep(int runs, int longest)
    {
        if (_persistent)
            return default;
        var active = runs;
        for (var step = 0; step < longest; step++)
        {
            while (_taken[active - 1] <= step)
                active--;
            _runsAtStep[step] = active;
        }

        return _runsAtStep.AsSpan(0, longest);
    }

    /// <summary>Null: launched one by one. A shape is captured when it has come often enough to come again.</summary>
    private CudaGraph? GraphOf(int place, CudaChunk chunk)
    {
        if (!_graphs || chunk.Steps > MaxGraphSteps)
            return null;
        if (_captured.TryGetValue((place, chunk), out var graph))
            return graph;
        if (_uses.Count >= 4 * MaxGraphs)
            _uses.Clear();
        var uses = _uses[chunk] = _uses.GetValueOrDefault(chunk) + 1;
        if (uses < CaptureAtUse)
            return null;
        if (_captured.Count >= MaxGraphs)
        {
            // They may still be queued.
            _computing.Synchronize();
            foreach (var old in _captured.Values)
                old.Dispose();
            _captured.Clear();
        }

        return _captured[(place, chunk)] = Capture(place, chunk);
    }

    /// <summary>Apart, so that only a capture makes a closure.</summary>
    private CudaGraph Capture(int place, CudaChunk chunk) => _computing.Capture(() => _steps.Enqueue(_computing, _staging[place].Device, chunk, default));
}
