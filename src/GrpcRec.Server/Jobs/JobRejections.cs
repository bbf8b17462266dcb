using System.Globalization;
using GrpcRec.Serving.Admission;
using GrpcRec.V1;

namespace GrpcRec.Server.Jobs;

/// <summary>Why a call about a training job is refused.</summary>
static class JobRejections
{
    /// <summary>A training takes minutes at least: sooner would only be refused again.</summary>
    static readonly TimeSpan QueueRetry = TimeSpan.FromSeconds(30);

    public static Rejection QueueFull(int capacity) => new(RejectionKind.Overloaded, "TRAINING_QUEUE_FULL",
        string.Create(CultureInfo.InvariantCulture, $"One training runs and {capacity} wait, as many as may. Try again later, or cancel one with CancelTraining."), QueueRetry);

    public static Rejection TooManyWatchers(string id, int limit) => new(RejectionKind.Overloaded, "TOO_MANY_WATCHERS",
        string.Create(CultureInfo.InvariantCulture, $"Training {id} is watched by {limit} callers, as many as may. GetTraining still answers."), QueueRetry);

    public static Rejection NotFound(string quotedId) => new(RejectionKind.NotFound, "TRAINING_NOT_FOUND",
        $"There is no training {quotedId}. ListTrainings gives those that are known.");

    public static Rejection AlreadyEnded(string id, TrainingState state) => new(RejectionKind.FailedPrecondition, "TRAINING_ENDED",
        $"Training {id} has ended ({state.ToString().ToUpperInvariant()}): there is nothing to cancel.");

    public static Rejection TrainerMissing { get; } = new(RejectionKind.FailedPrecondition, "TRAINER_NOT_INSTALLED",
        "This server only serves: the training worker is not installed beside it. Its log says where it was looked for.");

    /// <summary>An evaluation takes seconds to minutes.</summary>
    static readonly TimeSpan EvaluationRetry = TimeSpan.FromSeconds(10);

    public static Rejection EvaluationRuns { get; } = new(RejectionKind.Overloaded, "EVALUATION_RUNS",
        "Another evaluation runs, and one is as many as may. Try again when it has ended.", EvaluationRetry);

    /// <param name="reason">The worker's, for a person.</param>
    public static Rejection CannotEvaluate(string reason) => new(RejectionKind.FailedPrecondition, "CANNOT_EVALUATE", reason);

    public static Rejection EvaluationDied(string reason) => new(RejectionKind.Internal, "EVALUATION_DIED",
        $"The worker died while it measured: {reason}. The server's log has its last output.");
}
