using GrpcRec.Benchmarks.Suites;
using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using TorchSharp;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>
/// <c>bench engine --engine cuda</c>: the LSTM of the engine suite on a device, copies to and from it included, beside cuDNN where this build's
/// libtorch has it (<c>-p:TorchBackend=cuda</c>), and the roofline of the device in the notes.
/// </summary>
public sealed class CudaEngineSuite : IBenchmarkSuite
{
    private const double HalfTolerance = 2e-3;
    private static readonly (LstmSize Size, int Batch)[] Cases =
    [
        .. new[] { 1, 16, 64, 256, 1024 }.Select(batch => (LstmSize.Small, batch)), .. new[] { 16, 256 }.Select(batch => (LstmSize.Large, batch)),
    ];

    public string Name => "engine";

    public string Summary => "The LSTM of the engine suite on a CUDA device.";

    public IReadOnlyList<string> RowNames { get; } = [.. Cases.Select(one => Row(one.Size, one.Batch))];

    public IEnumerable<BenchmarkRow> Run(BenchmarkContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        if (CudaDevices.Count == 0)
            throw new BenchmarkException("there is no CUDA device here, or no driver for it: look at nvidia-smi; --engine cpu measures the CPU engine");
        var device = CudaDevices.Describe(0);
        context.Say(FormattableString.Invariant(
            $"{device.Name}, capability {device.Capability / 10}.{device.Capability % 10}, {device.Multiprocessors} multiprocessors, {device.TensorFlops / 1e12:F0} TFLOP/s of 16-bit products, {device.MemoryBytesPerSecond / 1e9:F0} GB/s"));
        foreach (var size in Cases.Select(one => one.Size).Distinct())
        {
            int[] batches = [.. Cases.Where(one => one.Size == size && context.Wants(Row(size, one.Batch))).Select(one => one.Batch)];
            if (batches.Length == 0)
                continue;
            var model = size.Create();
            using var half = Ours(model, CudaProduct.Float16, batches.Max());
            using var single = Ours(model, CudaProduct.Float32, batches.Max());
            using var torch = Torch(model, context);
            foreach (var batch in batches)
                yield return Measure(context, device, size, batch, model, half, single, torch);
        }
    }

    private static string Row(LstmSize size, int batch) => $"cuda_{size.RowPrefix}_b{batch}";

    private static StepEngineEncoder Ours(ModelArtifact model, CudaProduct product, int batch)
    {
        try
        {
            return new StepEngineEncoder(model, new EngineOptions { Kind = EngineKind.Cuda, Cuda = new CudaOptions { Product = product } }, batch, threads: 1);
        }
        catch (EngineException refusal)
        {
            throw new BenchmarkException(refusal.Message, refusal);
        }
    }

    private static TorchEncoder? Torch(ModelArtifact model, BenchmarkContext context) =>
        TorchSharp.torch.cuda_is_available() ? new TorchEncoder(model, context.Threads, DeviceType.CUDA, half: true) : null;

    private static BenchmarkRow Measure(
        BenchmarkContext context, CudaDevice device, LstmSize size, int batch, ModelArtifact model, StepEngineEncoder half, StepEngineEncoder single, TorchEncoder? torch)
    {
        var batches = EventBatch.Random(batch, size.Length, size.Items);
        var agreement = new Agreement(model, batches[0]);
        var error = agreement.Error(half);
        if (error > HalfTolerance)
            throw new BenchmarkException(FormattableString.Invariant($"{half.Name} is {error:E2} from the reference where {HalfTolerance:E0} is allowed, so it was not timed"));
        var exact = agreement.CheckFloat32(single);
        var times = EncoderTiming.Measure(context, batches, size.Hidden, torch is null ? [half, single] : [half, single, torch]);

        // Products at the tensor cores' rate, or the rows of gates at the memory's: whichever takes longer.
        var roof = Math.Max(
            batch * size.ExecutedFlops / device.TensorFlops, batch * size.Length * 4.0 * size.Hidden * sizeof(ushort) / device.MemoryBytesPerSecond);
        // A driver that does not tell its clocks.
        roof = double.IsFinite(roof) ? roof : 0;
        var note = FormattableString.Invariant(
            $"{device.Name}; {half.Name}, error of h {error:E1}; {single.Name} {times[1].Median * 1e6:F1} µs, error {exact:E1}; roofline {roof * 1e6:F1} µs, {roof / times[0].Median:P1} reached");
        return torch is not null
            ? BenchmarkRow.SpeedUp(Row(size, batch), null, torch.Name, times[0], times[2], note: note)
            : new BenchmarkRow
            {
                Name = Row(size, batch),
                Ratio = roof / times[0].Median,
                Direction = RatioGoal.None,
                Against = "the device's roofline (this build's libtorch has no CUDA)",
                Ours = times[0].Median * 1e6,
                Theirs = roof * 1e6,
                Unit = "µs",
                Repeats = times[0].Rounds,
                Spread = times[0].Spread,
                Note = note,
            };
    }
}
