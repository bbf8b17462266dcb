using GrpcRec.Benchmarks.Machine;
using GrpcRec.Benchmarks.Suites;
using GrpcRec.Benchmarks.Timing;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>float32 rows of one size: ours, ONNX Runtime and TorchSharp in turns.</summary>
internal sealed class Float32Rows : IDisposable
{
    public const int PeakBatch = 16;
    private const int LargestBatch = 256;

    // Of the peak's own contestant: about a millisecond.
    private const int PeakLoops = 500_000;

    private readonly BenchmarkContext _context;
    private readonly LstmSize _size;
    private readonly ModelArtifact _model;
    private readonly StepEngineEncoder _ours;
    private readonly OnnxEncoder _onnx;
    private readonly TorchEncoder _torch;

    public Float32Rows(BenchmarkContext context, LstmSize size)
    {
        (_context, _size) = (context, size);
        context.Say($"{size.RowPrefix}: {size}, {context.Threads} thread{(context.Threads == 1 ? "" : "s")}");
        _model = size.Create();
        _ours = new StepEngineEncoder(_model, new EngineOptions { Precision = Precision.Float32 }, LargestBatch, context.Threads);
        _onnx = new OnnxEncoder(_model, int8: false, context.Threads);
        _torch = new TorchEncoder(_model, context.Threads);
    }

    public BenchmarkRow Run(string row, int batch, double goal)
    {
        var batches = EventBatch.Random(batch, _size.Length, _size.Items);
        // 1. They compute the same.
        var agreement = new Agreement(_model, batches[0]);
        var ours = agreement.CheckFloat32(_ours);
        var onnx = agreement.CheckFloat32(_onnx);
        _torch.Prepare();
        var torch = agreement.Error(_torch);

        // 2. How fast.
        using var weights = new ReadMemory(_size.RecurrentBytes);
        var contestants = new ISequenceEncoder[] { _ours, _onnx, _torch }.Select(encoder => EncoderTiming.Of(encoder, batches, _size.Hidden));
        // Alone a sequence waits for its weights: what it takes to read them as often is the bound.
        var reading = new Contestant("reading", () =>
        {
            for (var t = 0; t < _size.Length; t++)
                weights.Read();
        });
        var times = _context.Timer.Measure([.. contestants, .. batch == 1 ? [reading] : Array.Empty<Contestant>()]);
        var bound = batch == 1 ? FormattableString.Invariant($"; to read the recurrent weights {_size.Length} times and do nothing takes {times[3].Median * 1e6:F1} µs, {times[3].Median / times[0].Median:P0} of ours") : "";
        var torchNote = torch <= Agreement.Float32Tolerance ? "" : ": WRONG, libtorch's kernel without gradients errs at this size on this machine";
        return BenchmarkRow.SpeedUp(row, goal, _onnx.Name, times[0], times[1], note: FormattableString.Invariant(
            $"{times[0].Name}; largest error of h: ours {ours:E1}, ONNX Runtime {onnx:E1}; TorchSharp {times[2].Median * 1e6:F1} µs ({times[2].Median / times[0].Median:F2} of ours; error {torch:E1}{torchNote}); ours executes {batch * _size.ExecutedFlops / times[0].Median / 1e9:F0} GF/s, nominal {batch * _size.NominalFlops / times[0].Median / 1e9:F0}{bound}"));
    }

    /// <summary>Executed operations as a share of the peak, which is measured in turns with them: the clock is the same for both.</summary>
    public BenchmarkRow Peak(string row, int batch, double goal)
    {
        var batches = EventBatch.Random(batch, _size.Length, _size.Items);
        new Agreement(_model, batches[0]).CheckFloat32(_ours);
        using var pair = new PairedWork();
        var peak = new Contestant("FMA peak", _context.Threads == 1
            ? () => MachinePeaks.FmaLoop(PeakLoops)
            : () => pair.Run(() => MachinePeaks.FmaLoop(PeakLoops), () => MachinePeaks.FmaLoop(PeakLoops)));
        var times = _context.Timer.Measure(EncoderTiming.Of(_ours, batches, _size.Hidden), peak);
        var executed = batch * _size.ExecutedFlops / times[0].Median / 1e9;
        var possible = _context.Threads * PeakLoops * MachinePeaks.FlopsPerLoop / times[1].Median / 1e9;
        return new BenchmarkRow
        {
            Name = row,
            Ratio = executed / possible,
            Goal = goal,
            Against = "measured FMA peak",
            Ours = executed,
            Theirs = possible,
            Unit = "GF/s",
            Repeats = times[0].Rounds,
            Spread = Math.Max(times[0].Spread, times[1].Spread),
            Note = "counted: the recurrent products and those of layers above the first; not counted: activations, the gate table's gather",
        };
    }

    public void Dispose()
    {
        _ours.Dispose();
        _onnx.Dispose();
        _torch.Dispose();
    }
}
