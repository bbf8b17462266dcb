using System.Globalization;
using GrpcRec.Server.Mapping;
using Microsoft.AspNetCore.Http.Features;

namespace GrpcRec.Server.Hosting;

/// <summary>Adds ErrorInfo to the errors that the gRPC framework raises by itself, so that every error has a stable reason.</summary>
public sealed class ErrorDetailsMiddleware(RequestDelegate next)
{
    private const string StatusHeader = "grpc-status";
    private const string MessageHeader = "grpc-message";

    public async Task InvokeAsync(HttpContext context)
    {
        await next(context);

        // An error before the first reply stands in the headers, a later one in the trailers.
        var trailers = context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers;
        var target = context.Response.HasStarted ? trailers : context.Response.Headers;
        if (target is null or { IsReadOnly: true } || !target.TryGetValue(StatusHeader, out var code) || target.ContainsKey(StatusMapping.DetailsTrailer))
            return;
        if (!int.TryParse(code, CultureInfo.InvariantCulture, out var number))
            return;
        var message = target.TryGetValue(MessageHeader, out var text) ? Uri.UnescapeDataString(text.ToString()) : "";
        if (StatusMapping.DetailsForFrameworkError(number, message) is { } details)
            target[StatusMapping.DetailsTrailer] = Convert.ToBase64String(details);
    }
}
