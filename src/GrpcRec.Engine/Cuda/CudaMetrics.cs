using System.Diagnostics.Metrics;

namespace GrpcRec.Engine.Cuda;

/// <summary>What all CUDA engines of the process do, for whoever listens to the meter.</summary>
internal static class CudaMetrics
{
    public const string MeterName = "GrpcRec.Engine.Cuda";

    private static readonly Meter Meter = new(MeterName);
    private static readonly Counter<long> Launches = Meter.CreateCounter<long>("grpcrec.cuda.launches", "{launch}", "Kernels queued one by one.");
    private static readonly Counter<long> Graphs = Meter.CreateCounter<long>("grpcrec.cuda.graph_launches", "{launch}", "Graphs of kernels queued as one.");
    private static readonly Counter<long> Bytes = Meter.CreateCounter<long>("grpcrec.cuda.copied", "By", "Bytes copied between host and device.");
    private static readonly Counter<long> Losses = Meter.CreateCounter<long>("grpcrec.cuda.losses", "{loss}", "Times that a device was lost.");
    private static readonly Histogram<double> Occupancy = Meter.CreateHistogram<double>("grpcrec.cuda.occupancy", "1", "Share of a multiprocessor's threads that a kernel keeps resident, at load.");
    private static readonly KeyValuePair<string, object?> Up = new("direction", "to_device"), Down = new("direction", "to_host");

    public static void Launched() => Launches.Add(1);

    public static void GraphLaunched() => Graphs.Add(1);

    public static void Uploaded(long bytes) => Bytes.Add(bytes, Up);

    public static void Downloaded(long bytes) => Bytes.Add(bytes, Down);

    public static void DeviceLost() => Losses.Add(1);

    public static void Occupied(string kernel, double occupancy) => Occupancy.Record(occupancy, new KeyValuePair<string, object?>("kernel", kernel));
}
