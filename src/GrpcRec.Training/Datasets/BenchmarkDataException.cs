namespace GrpcRec.Training.Datasets;

/// <summary>A benchmark's file is missing, or does not look as it should.</summary>
public sealed class BenchmarkDataException(string message) : Exception(message);
