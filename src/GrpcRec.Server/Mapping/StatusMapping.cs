using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using GrpcRec.Serving.Admission;

namespace GrpcRec.Server.Mapping;

/// <summary>The one place that knows gRPC status codes: from refusals to google.rpc.Status.</summary>
public static class StatusMapping
{
    /// <summary>ErrorInfo.domain of every error of ours.</summary>
    public const string Domain = "grpcrec";

    /// <summary>The trailer that carries google.rpc.Status.</summary>
    public const string DetailsTrailer = "grpc-status-details-bin";

    public static RpcException ToException(Rejection rejection)
    {
        var status = Create(CodeOf(rejection.Kind), rejection.Reason, rejection.Message);
        if (rejection.RetryAfter is { } delay)
            status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = Duration.FromTimeSpan(delay) }));
        return status.ToRpcException();
    }

    /// <exception cref="RpcException">The refusal, when there is one.</exception>
    public static T OrThrow<T>(this Outcome<T> outcome)
        where T : class =>
        outcome.Rejection is { } rejection ? throw ToException(rejection) : outcome.Value!;

    /// <summary>The training worker refused the request or its data: the same would happen again. Any other status is a fault of the worker.</summary>
    public static bool IsRefusalByWorker(RpcException answer) => answer.StatusCode is StatusCode.InvalidArgument or StatusCode.FailedPrecondition;

    public static RpcException BadRequest(Violations violations)
    {
        var first = violations.Reported[0];
        var rest = violations.Count - 1;
        var message = $"{first.Field}: {first.Description}" + (rest > 0 ? $" (and {rest} more)" : "");
        var status = Create(Code.InvalidArgument, "INVALID_REQUEST", message);
        var badRequest = new BadRequest();
        badRequest.FieldViolations.AddRange(violations.Reported.Select(violation => new BadRequest.Types.FieldViolation
        {
            Field = violation.Field,
            Reason = UpperSnake(violation.Reason),
            Description = violation.Description,
        }));
        if (violations.Count > violations.Reported.Count)
            badRequest.FieldViolations.Add(new BadRequest.Types.FieldViolation
            {
                Reason = "MORE",
                Description = $"{violations.Count - violations.Reported.Count} further violations are not listed.",
            });
        status.Details.Add(Any.Pack(badRequest));
        return status.ToRpcException();
    }

    /// <summary>The bytes of a request are not the message that the method takes.</summary>
    public static RpcException MalformedMessage(string messageName)
    {
        var status = Create(Code.InvalidArgument, "MALFORMED_MESSAGE", $"The bytes sent are not a {messageName}.");
        status.Details.Add(Any.Pack(new BadRequest
        {
            FieldViolations =
            {
                new BadRequest.Types.FieldViolation
                {
                    Reason = "MALFORMED_MESSAGE",
                    Description = $"Not a {messageName} in protobuf binary encoding (or a string in it is not UTF-8). Check that client and server use the same .proto files.",
                },
            },
        }));
        return status.ToRpcException();
    }

    /// <param name="what">The RPC or field that does not work yet.</param>
    /// <param name="instead">What works today: a sentence.</param>
    public static RpcException Unimplemented(string what, string instead) =>
        Create(Code.Unimplemented, "NOT_YET_AVAILABLE", $"{what} is not yet available. {instead}").ToRpcException();

    /// <summary>A fault of ours. Tells nothing but the number under which the log tells all.</summary>
    public static RpcException Internal(string correlationId)
    {
        var status = Create(Code.Internal, "INTERNAL", $"The server failed; its log tells more under {correlationId}.");
        status.Details.Add(Any.Pack(new RequestInfo { RequestId = correlationId }));
        return status.ToRpcException();
    }

    /// <summary>
    /// google.rpc.Status for an error that the gRPC framework raised before our code was reached (unknown method, message past the size
    /// limit), in which it puts no details. Null when the code is OK.
    /// </summary>
    public static byte[]? DetailsForFrameworkError(int code, string message)
    {
        var reason = (StatusCode)code switch
        {
            StatusCode.OK => null,
            StatusCode.ResourceExhausted => "MESSAGE_TOO_LARGE",
            StatusCode.Unimplemented => "UNKNOWN_METHOD",
            StatusCode.DeadlineExceeded => Rejection.DeadlinePassed.Reason,
            StatusCode.Cancelled => Rejection.Cancelled.Reason,
            _ => "PROTOCOL_ERROR",
        };
        return reason is null ? null : Create((Code)code, reason, message).ToByteArray();
    }

    private static Code CodeOf(RejectionKind kind) => kind switch
    {
        RejectionKind.Invalid => Code.InvalidArgument,
        RejectionKind.NotFound => Code.NotFound,
        RejectionKind.FailedPrecondition => Code.FailedPrecondition,
        RejectionKind.Overloaded => Code.ResourceExhausted,
        RejectionKind.DeadlinePassed => Code.DeadlineExceeded,
        RejectionKind.Cancelled => Code.Cancelled,
        RejectionKind.ShuttingDown or RejectionKind.Unavailable => Code.Unavailable,
        _ => Code.Internal,
    };

    private static Google.Rpc.Status Create(Code code, string reason, string message) => new()
    {
        Code = (int)code,
        Message = message,
        Details = { Any.Pack(new ErrorInfo { Domain = Domain, Reason = reason }) },
    };

    private static string UpperSnake(ViolationReason reason) =>
        string.Concat(reason.ToString().Select((c, i) => char.IsUpper(c) && i > 0 ? $"_{c}" : $"{char.ToUpperInvariant(c)}"));
}
