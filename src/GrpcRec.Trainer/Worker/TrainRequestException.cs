namespace GrpcRec.Trainer.Worker;

/// <summary>The request asks for what cannot be done; the message tells a person what to change.</summary>
sealed class TrainRequestException(string message) : Exception(message);
