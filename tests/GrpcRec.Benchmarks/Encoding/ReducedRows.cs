using GrpcRec.Benchmarks.Suites;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>The fastest reduced precision whose error is no larger than ONNX Runtime's dynamic int8.</summary>
internal sealed class ReducedRows : IDisposable
{
    private const int LargestBatch = 256;

    private readonly BenchmarkContext _context;
    private readonly LstmSize _size;
    private readonly ModelArtifact _model;
    private readonly StepEngineEncoder _float32;
    private readonly StepEngineEncoder[] _reduced;
    private readonly OnnxEncoder _onnx;

    public ReducedRows(BenchmarkContext context, LstmSize size)
    {
        (_context, _size) = (context, size);
        context.Say($"reduced precision: {size}, {context.Threads} thread{(context.Threads == 1 ? "" : "s")}");
        _model = size.Create();
        _float32 = Ours(Precision.Float32);
        _reduced = [Ours(Precision.Int8), Ours(Precision.Bf16)];
        _onnx = new OnnxEncoder(_model, int8: true, context.Threads);
    }

    public BenchmarkRow Run(string row, int batch, double goal)
    {
        var batches = EventBatch.Random(batch, _size.Length, _size.Items);
        // 1. What each precision costs. An engine that has a precision gives other numbers than in float32; one that has not is no contestant.
        var agreement = new Agreement(_model, batches[0]);
        var (float32, onnx) = (agreement.CheckFloat32(_float32), agreement.Error(_onnx));
        var errors = Array.ConvertAll(_reduced, agreement.Error);
        var fit = Enumerable.Range(0, _reduced.Length).Where(i => errors[i] > 2 * float32 && errors[i] <= onnx).ToArray();
        if (fit.Length == 0)
        {
            throw new BenchmarkException(FormattableString.Invariant(
                $"{row}: no reduced precision is both there and as exact as ONNX Runtime's int8 (error {onnx:E1}): {string.Join(", ", _reduced.Select((engine, i) => FormattableString.Invariant($"{engine.Name} {errors[i]:E1}")))}; float32 {float32:E1}"));
        }

        // 2. The faster of those that are exact enough.
        var times = EncoderTiming.Measure(_context, batches, _size.Hidden, [_onnx, .. fit.Select(i => _reduced[i])]);
        var best = Enumerable.Range(0, fit.Length).MinBy(i => times[i + 1].Median);
        var others = string.Concat(Enumerable.Range(0, fit.Length).Where(i => i != best)
            .Select(i => FormattableString.Invariant($"; {times[i + 1].Name} {times[i + 1].Median * 1e6:F1} µs, error {errors[fit[i]]:E1}")));
        return BenchmarkRow.SpeedUp(row, goal, _onnx.Name, times[best + 1], times[0], note: FormattableString.Invariant(
            $"{times[best + 1].Name}; largest error of h: ours {errors[fit[best]]:E1}, {_onnx.Name} {onnx:E1}{others}"));
    }

    public void Dispose()
    {
        _float32.Dispose();
        _onnx.Dispose();
        foreach (var engine in _reduced)
            engine.Dispose();
    }

    private StepEngineEncoder Ours(Precision precision) => new(_model, new EngineOptions { Precision = precision }, LargestBatch, _context.Threads);
}
