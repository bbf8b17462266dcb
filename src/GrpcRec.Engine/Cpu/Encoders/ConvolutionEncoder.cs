using System.Runtime.Intrinsics;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>
/// Filters over the last events. A step stores which event it was; the filters run when the output is read, because most events are
/// pushed out of the window or followed by others before anyone asks. A slot's state: [L, 2] item + 1 and kind of each of the last L
/// events, oldest first, 0 where there was none; whether the output has been read since; the output.
/// </summary>
internal sealed unsafe class ConvolutionEncoder : CpuEncoder
{
    private readonly ConvolutionWeights _weights;

    // [L, I padded], zero where there is no event.
    private readonly AlignedBuffer _window;

    // [L, F padded] one height's filters at all places.
    private readonly AlignedBuffer _places;

    // [I padded] one vertical filter's sums.
    private readonly AlignedBuffer _vertical;

    // What the output layer reads, and [H padded to 64] its sums.
    private readonly AlignedBuffer _features, _sums;
    private readonly PointerBuffer _first;

    public ConvolutionEncoder(ConvolutionWeights weights)
    {
        _weights = weights;
        _window = new AlignedBuffer((long)weights.Window * weights.RowWidth);
        _places = new AlignedBuffer((long)weights.Window * PackedMatrix.PaddedWidth(weights.HorizontalFilters));
        _vertical = new AlignedBuffer(weights.RowWidth);
        _features = new AlignedBuffer(weights.Output.Depth);
        _sums = new AlignedBuffer(weights.Output.Width);
        _first = new PointerBuffer(weights.Window);
    }

    public static int StateFloats(ConvolutionWeights weights) => PackedMatrix.PaddedUnits((2 * weights.Window) + 1) + PackedMatrix.PaddedUnits(weights.Hidden);

    public override void Advance(ReadOnlySpan<EventRun> runs, float** states, ReadOnlySpan<int> items, ReadOnlySpan<int> behaviors)
    {
        for (var r = 0; r < runs.Length; r++)
        {
            // Of a run longer than the window its end alone remains.
            var kept = Math.Min(runs[r].Count, _weights.Window);
            if (kept == 0)
                continue;
            var events = Events(states[r]);
            events[(2 * kept)..].CopyTo(events);
            for (var n = 0; n < kept; n++)
            {
                var source = runs[r].Start + runs[r].Count - kept + n;
                var place = 2 * (_weights.Window - kept + n);
                events[place] = items[source] + 1;
                events[place + 1] = behaviors[source];
            }

            IsRead(states[r]) = 0;
        }
    }

    public override float* Hidden(float* state)
    {
        var output = state + PackedMatrix.PaddedUnits((2 * _weights.Window) + 1);
        if (IsRead(state) != 0)
            return output;

        // 1. The window's rows.
        var events = Events(state);
        var empty = 0;
        for (var place = 0; place < _weights.Window; place++)
        {
            var row = new Span<float>(_window.Pointer + ((nint)place * _weights.RowWidth), _weights.RowWidth);
            if (events[2 * place] == 0)
            {
                row.Clear();
                empty = place + 1;
                continue;
            }

            _weights.Events.CopyTo(events[2 * place] - 1, events[(2 * place) + 1], row);
        }

        // 2. Filters, then the output layer.
        var features = _features.Pointer;
        for (var index = 0; index < _weights.Heights.Length; index++, features += _weights.HorizontalFilters)
            Horizontal(index, empty, features);
        for (var filter = 0; filter < _weights.VerticalFilters; filter++, features += _weights.Events.Width)
            Vertical(filter, empty, features);
        var bias = _weights.OutputBias;
        _weights.Output.Multiply(_weights.Kernel, _features.Pointer, 0, 1, &bias, null, _sums.Pointer, relu: false);
        _weights.Kernel.Tanh(_sums.Pointer, output, PackedMatrix.PaddedUnits(_weights.Hidden));
        IsRead(state) = 1;
        return output;
    }

    public override void Dispose()
    {
        foreach (var buffer in new IDisposable[] { _window, _places, _vertical, _features, _sums, _first })
            buffer.Dispose();
    }

    /// <param name="empty">Places before the first event.</param>
    /// <param name="largest">[F] written.</param>
    private void Horizontal(int index, int empty, float* largest)
    {
        // Of the places that see nothing but zeros one speaks for all.
        var height = _weights.Heights[index];
        var filters = _weights.Horizontal[index];
        var from = Math.Max(0, empty - height);
        var places = _weights.Window - height + 1 - from;
        for (var place = 0; place < places; place++)
            _first[place] = _weights.HorizontalBias(index);
        filters.Multiply(
            _weights.Kernel, _window.Pointer + ((nint)from * _weights.RowWidth), _weights.RowWidth, places, _first.Pointer, null, _places.Pointer, relu: true);
        for (var column = 0; column < _weights.HorizontalFilters; column += 16)
        {
            var most = Vector512.Load(_places.Pointer + column);
            for (var place = 1; place < places; place++)
                most = Vector512.Max(most, Vector512.Load(_places.Pointer + ((nint)place * filters.Width) + column));
            most.Store(_places.Pointer + column);
        }

        new ReadOnlySpan<float>(_places.Pointer, _weights.HorizontalFilters).CopyTo(new Span<float>(largest, _weights.HorizontalFilters));
    }

    /// <param name="sums">[I] written.</param>
    private void Vertical(int filter, int empty, float* sums)
    {
        new Span<float>(_vertical.Pointer, _weights.RowWidth).Clear();
        for (var place = empty; place < _weights.Window; place++)
        {
            _weights.Kernel.AddScaled(
                _weights.Vertical[(filter * _weights.Window) + place], _window.Pointer + ((nint)place * _weights.RowWidth), _vertical.Pointer, _weights.RowWidth);
        }

        new ReadOnlySpan<float>(_vertical.Pointer, _weights.Events.Width).CopyTo(new Span<float>(sums, _weights.Events.Width));
    }

    private Span<int> Events(float* state) => new((int*)state, 2 * _weights.Window);

    /// <summary>1: the output in the state is that of its events. A state of zeros has not been read.</summary>
    private ref int IsRead(float* state) => ref ((int*)state)[2 * _weights.Window];
}
