namespace GrpcRec.Training.Datasets;

/// <summary>A split that cannot be made of the data. The message is for a person: it says what to change.</summary>
public sealed class SplitException(string message) : Exception(message);
