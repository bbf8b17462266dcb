namespace GrpcRec.Benchmarks.Suites;

/// <summary>Every suite: a new one is one line here.</summary>
public static class BenchmarkSuites
{
    public static IReadOnlyList<IBenchmarkSuite> All { get; } =
    [
        new Encoding.EngineSuite(),
        new Ranking.RankSuite(),
        new Ragged.RaggedSuite(),
        new Session.SessionSuite(),
        new Training.TrainSuite(),
        new Kernels.KernelSuite(),
        new PeaksSuite(),
    ];
}
