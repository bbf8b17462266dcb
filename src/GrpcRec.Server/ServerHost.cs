using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using Grpc.Reflection;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Server.Exports;
using GrpcRec.Server.Hosting;
using GrpcRec.Server.Jobs;
using GrpcRec.Server.Services;
using GrpcRec.Server.Telemetry;
using GrpcRec.Serving;
using GrpcRec.Serving.Batching;
using GrpcRec.Serving.Registry;
using GrpcRec.V1;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging.Console;

namespace GrpcRec.Server;

/// <summary>The composition root: builds the server from its options. The command `serve`, the demo and the tests all start it here.</summary>
public static class ServerHost
{
    /// <exception cref="ServerOptionsException">It cannot start as told; the message says which option to change.</exception>
    public static Task<RunningServer> StartAsync(ServerOptions options, CancellationToken cancellationToken = default) =>
        StartAsync(options, _ => { }, cancellationToken);

    /// <param name="replace">Puts other parts in the place of ours, for tests: a clock, an engine.</param>
    /// <exception cref="ServerOptionsException">It cannot start as told; the message says which option to change.</exception>
    public static async Task<RunningServer> StartAsync(ServerOptions options, Action<IServiceCollection> replace, CancellationToken cancellationToken = default)
    {
        Validate(options);
        var listen = options.Listen.Select(ListenAddress.Parse).ToArray();
        var certificate = listen.Any(address => address is ListenAddress.Tcp { Tls: true }) ? TlsCertificate.Load(options) : null;
        var stale = listen.OfType<ListenAddress.Unix>().Where(unix => UnixSocketFile.RemoveStale(unix.Path)).ToArray();

        var app = Build(options, listen, certificate, replace);
        var log = app.Services.GetRequiredService<ILogger<RunningServer>>();
        foreach (var unix in stale)
            log.StaleSocketRemoved(unix.Path);
        try
        {
            app.Services.GetRequiredService<ModelRegistry>().Start();
            await app.StartAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            await app.DisposeAsync();
            throw new ServerOptionsException($"The server cannot start: {exception.Message}");
        }

        foreach (var unix in listen.OfType<ListenAddress.Unix>())
        {
            // Windows has no such modes: a socket there takes its directory's rights.
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(unix.Path, options.SocketMode);
        }

        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses
            .Select(address => address.Replace("http://unix:", "unix:", StringComparison.Ordinal)).ToArray();
        foreach (var (address, parsed) in addresses.Zip(listen))
        {
            log.Listening(address);
            if (parsed is ListenAddress.Tcp tcp && !IPAddress.IsLoopback(tcp.Address))
                log.OpenAddress(address);
        }

        return new RunningServer(app, options, addresses);
    }

    private static WebApplication Build(ServerOptions options, ListenAddress[] listen, X509Certificate2? certificate, Action<IServiceCollection> replace)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => Configure(kestrel, options, listen, certificate));
        builder.Logging.SetMinimumLevel(options.LogLevel)
            .AddFilter("Microsoft", LogLevel.Warning)
            .AddFilter("Grpc.AspNetCore", LogLevel.Warning)
            // A start that fails is told once, by StartAsync's exception, without a stack.
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.None)
            .AddSimpleConsole(console => console.SingleLine = true);
        // Standard output belongs to the commands: some print one JSON object on it.
        builder.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
        AddServices(builder.Services, options);
        replace(builder.Services);

        var app = builder.Build();
        app.UseMiddleware<ErrorDetailsMiddleware>();
        app.UseRouting();
        MapServices(app, options);
        return app;
    }

    private static void AddServices(IServiceCollection services, ServerOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(options.Limits);
        services.AddSingleton<ServingObserver, LoggingObserver>();
        services.AddSingleton<EngineHealth>();
        services.AddSingleton<Func<ModelArtifact, EngineOptions, IStepEngine>>(StepEngineFactory.Create);
        services.AddSingleton(provider => new ModelRegistry(
            RegistryOptionsOf(options, provider.GetRequiredService<EngineHealth>(), provider.GetRequiredService<TimeProvider>()),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ServingObserver>(),
            provider.GetRequiredService<Func<ModelArtifact, EngineOptions, IStepEngine>>()));
        // Signals are the command's business: a server inside a test or the demo must not take them.
        services.Replace(ServiceDescriptor.Singleton<IHostLifetime, EmbeddedLifetime>());
        services.Configure<HostOptions>(host => host.ShutdownTimeout = options.DrainTimeout);
        services.AddRoutingCore();
        services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = options.MaxMessageBytes;
            grpc.MaxSendMessageSize = options.MaxMessageBytes;
            grpc.EnableDetailedErrors = false;
            grpc.Interceptors.Add<ErrorInterceptor>();
        });
        services.AddSingleton<RecommendationGrpcService>();
        services.AddSingleton<ModelExporter>();
        services.AddSingleton<ModelGrpcService>();
        services.AddSingleton<HealthServiceImpl>();
        services.AddSingleton(new ReflectionServiceImpl(
            RecommendationService.Descriptor, ModelService.Descriptor, TrainingService.Descriptor, Health.Descriptor));
        services.AddTrainingJobs(options);
    }

    private static RegistryOptions RegistryOptionsOf(ServerOptions options, EngineHealth engines, TimeProvider time) => new()
    {
        Directory = options.ModelsDirectory,
        DefaultModel = options.DefaultModel,
        Engine = new EngineOptions { Kind = options.Engine, SlotCapacity = options.Slots, Cuda = options.Cuda with { Health = engines, Time = time } },
        Compute = new ComputePoolOptions { Threads = options.Threads },
        Batching = new BatchSchedulerOptions
        {
            MaxBatchSize = options.MaxBatchSize,
            ChunkEvents = options.ChunkEvents,
            QueueCapacity = options.QueueCapacity,
            MaxQueueDelay = options.MaxQueueDelay,
            DrainTimeout = options.DrainTimeout,
        },
    };

    private static void MapServices(WebApplication app, ServerOptions options)
    {
        app.MapGrpcService(services => GuardedServiceBinder.Bind(
            binder => RecommendationService.BindService(binder, services.GetRequiredService<RecommendationGrpcService>())));
        app.MapGrpcService(services => GuardedServiceBinder.Bind(
            binder => ModelService.BindService(binder, services.GetRequiredService<ModelGrpcService>())));
        app.MapTrainingJobs();

        var health = app.Services.GetRequiredService<HealthServiceImpl>();
        string[] healthy = ["", RecommendationService.Descriptor.FullName, ModelService.Descriptor.FullName, TrainingService.Descriptor.FullName];
        var reporter = new HealthReporter(health, app.Services.GetRequiredService<EngineHealth>(), app.Services.GetRequiredService<ILogger<HealthReporter>>(), healthy);
        app.Lifetime.ApplicationStopping.Register(reporter.Stop);
        app.MapGrpcService<HealthServiceImpl>();
        if (options.Reflection)
            app.MapGrpcService<ReflectionServiceImpl>();
    }

    private static void Configure(KestrelServerOptions kestrel, ServerOptions options, ListenAddress[] listen, X509Certificate2? certificate)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = options.MaxConnections;
        kestrel.Limits.Http2.MaxStreamsPerConnection = options.MaxStreamsPerConnection;
        // A caller that vanished without closing is noticed within a minute and a half.
        kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(60);
        kestrel.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(30);
        // Streams of progress and pipelined requests may be slow by nature; messages are bounded by gRPC's own limit.
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.MinResponseDataRate = null;
        foreach (var address in listen)
        {
            if (address is ListenAddress.Unix unix)
                kestrel.ListenUnixSocket(unix.Path, endpoint => endpoint.Protocols = HttpProtocols.Http2);
            else if (address is ListenAddress.Tcp tcp)
                kestrel.Listen(tcp.Address, tcp.Port, endpoint =>
                {
                    endpoint.Protocols = HttpProtocols.Http2;
                    if (tcp.Tls)
                        endpoint.UseHttps(certificate!);
                });
        }
    }

    private static void Validate(ServerOptions options)
    {
        List<ValidationResult> faults = [];
        Validator.TryValidateObject(options, new ValidationContext(options), faults, validateAllProperties: true);
        Validator.TryValidateObject(options.Cuda, new ValidationContext(options.Cuda), faults, validateAllProperties: true);
        Validator.TryValidateObject(options.Limits, new ValidationContext(options.Limits), faults, validateAllProperties: true);
        if (faults.Count > 0)
            throw new ServerOptionsException(string.Join(" ", faults.Select(fault => fault.ErrorMessage)));
        if (options.DefaultModel is { } name && !ModelNames.IsModel(name))
            throw new ServerOptionsException($"default-model: not a name of a model: {ModelNames.ModelRule}.");
        if (options.MaxQueueDelay <= TimeSpan.Zero || options.DrainTimeout <= TimeSpan.Zero)
            throw new ServerOptionsException("MaxQueueDelay and DrainTimeout must be above zero.");
    }
}
