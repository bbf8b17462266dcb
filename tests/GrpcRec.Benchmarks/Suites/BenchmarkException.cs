namespace GrpcRec.Benchmarks.Suites;

/// <summary>A benchmark cannot be run or its contestants do not agree. The message is for a person.</summary>
public sealed class BenchmarkException : Exception
{
    public BenchmarkException()
    {
    }

    public BenchmarkException(string message)
        : base(message)
    {
    }

    public BenchmarkException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
