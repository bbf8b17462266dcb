namespace GrpcRec.Server;

/// <summary>The server cannot start as it was told to. The message is for the person who started it.</summary>
public sealed class ServerOptionsException(string message) : Exception(message);
