namespace GrpcRec.Benchmarks.Suites;

/// <summary>The rows of one <c>grpcrec bench</c> command. New ones are listed in <see cref="BenchmarkSuites"/>.</summary>
public interface IBenchmarkSuite
{
    /// <summary>The command: <c>engine</c>, <c>rank</c> …</summary>
    string Name { get; }

    /// <summary>One line for <c>--help</c>.</summary>
    string Summary { get; }

    /// <summary>Names of all rows that the suite can give: what <c>--filter</c> chooses from.</summary>
    IReadOnlyList<string> RowNames { get; }

    /// <summary>Measures the wanted rows, each given as soon as it is known.</summary>
    /// <exception cref="BenchmarkException">The contestants do not agree, or the machine cannot run one of them.</exception>
    IEnumerable<BenchmarkRow> Run(BenchmarkContext context);
}
