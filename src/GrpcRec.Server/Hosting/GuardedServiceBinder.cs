using Google.Protobuf;
using Grpc.Core;
using GrpcRec.Server.Mapping;

namespace GrpcRec.Server.Hosting;

/// <summary>
/// Binds a service so that bytes which are no message are answered INVALID_ARGUMENT. The framework reads the message before any
/// interceptor runs and calls such bytes UNKNOWN, which blames the server and tells the caller nothing.
/// </summary>
public sealed class GuardedServiceBinder : ServiceBinderBase
{
    private readonly ServerServiceDefinition.Builder _definition = ServerServiceDefinition.CreateBuilder();

    /// <param name="bind">The generated <c>BindService(ServiceBinderBase, base)</c>, applied to the service.</param>
    public static ServerServiceDefinition Bind(Action<ServiceBinderBase> bind)
    {
        var binder = new GuardedServiceBinder();
        bind(binder);
        return binder._definition.Build();
    }

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler) =>
        _definition.AddMethod(Guard(method), handler!);

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler) =>
        _definition.AddMethod(Guard(method), handler!);

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler) =>
        _definition.AddMethod(Guard(method), handler!);

    public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler) =>
        _definition.AddMethod(Guard(method), handler!);

    private static Method<TRequest, TResponse> Guard<TRequest, TResponse>(Method<TRequest, TResponse> method)
        where TRequest : class
        where TResponse : class
    {
        var inner = method.RequestMarshaller;
        var guarded = Marshallers.Create(inner.ContextualSerializer, context =>
        {
            try
            {
                return inner.ContextualDeserializer(context);
            }
            catch (InvalidProtocolBufferException)
            {
                throw StatusMapping.MalformedMessage(typeof(TRequest).Name);
            }
        });
        return new Method<TRequest, TResponse>(method.Type, method.ServiceName, method.Name, guarded, method.ResponseMarshaller);
    }
}
