namespace GrpcRec.Training.Datasets;

/// <summary>A data set grew past a named limit. The message is for a person.</summary>
public sealed class DatasetLimitException(string message) : Exception(message);
