using Google.Rpc;
using Grpc.Core;

namespace GrpcRec.Server.Tests.Hosting;

/// <summary>A gRPC error as a client reads it, with its details decoded.</summary>
public sealed record WireError(StatusCode Code, string Message, string Reason, BadRequest? BadRequest, RetryInfo? RetryInfo)
{
    public IReadOnlyList<string> Fields => BadRequest is null ? [] : [.. BadRequest.FieldViolations.Select(violation => violation.Field)];

    /// <summary>Runs the call, which must fail, and checks what holds for every error of ours.</summary>
    public static async Task<WireError> OfAsync(Func<Task> call)
    {
        var exception = await Assert.ThrowsAsync<RpcException>(call);
        return From(exception);
    }

    public static WireError From(RpcException exception)
    {
        var details = exception.GetRpcStatus();
        Assert.NotNull(details);
        Assert.Equal((int)exception.StatusCode, details.Code);
        var info = details.GetDetail<ErrorInfo>();
        Assert.NotNull(info);
        Assert.Equal("grpcrec", info.Domain);
        Assert.NotEmpty(info.Reason);
        Assert.DoesNotContain("   at ", exception.Status.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", exception.Status.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("/tmp", exception.Status.Detail, StringComparison.Ordinal);
        return new WireError(exception.StatusCode, exception.Status.Detail, info.Reason, details.GetDetail<BadRequest>(), details.GetDetail<RetryInfo>());
    }

    /// <summary>Checks that a field is at fault, for a reason.</summary>
    public WireError Blames(string field, string reason)
    {
        Assert.Equal(StatusCode.InvalidArgument, Code);
        Assert.Equal("INVALID_REQUEST", Reason);
        Assert.NotNull(BadRequest);
        Assert.Contains(BadRequest.FieldViolations, violation => violation.Field == field && violation.Reason == reason && violation.Description.Length > 0);
        return this;
    }
}
