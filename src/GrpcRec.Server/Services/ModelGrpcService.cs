using Grpc.Core;
using GrpcRec.Server.Exports;
using GrpcRec.Server.Mapping;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Registry;
using GrpcRec.V1;

namespace GrpcRec.Server.Services;

/// <summary>The wire end of the model registry.</summary>
public sealed class ModelGrpcService(ModelRegistry registry, ModelExporter exporter) : ModelService.ModelServiceBase
{
    public override Task<ListModelsResponse> ListModels(ListModelsRequest request, ServerCallContext context) =>
        Task.FromResult(new ListModelsResponse { Models = { registry.List().Select(ModelMapping.ToWire) } });

    public override Task<GetModelResponse> GetModel(GetModelRequest request, ServerCallContext context)
    {
        var (name, version) = ModelMapping.ReadSelector(request.Model?.Name, request.Model?.Version);
        return Task.FromResult(new GetModelResponse { Model = ModelMapping.ToWire(Unwrap(registry.Get(name, version))) });
    }

    public override async Task<LoadModelResponse> LoadModel(LoadModelRequest request, ServerCallContext context)
    {
        var (name, version) = ModelMapping.ReadVersion(request.Model);
        // Reading a model takes as long as its file is big: not on a thread that requests need.
        var loaded = Unwrap(await Task.Run(() => registry.Load(name, version), CancellationToken.None));
        return new LoadModelResponse { Model = ModelMapping.ToWire(loaded) };
    }

    public override async Task<ActivateVersionResponse> ActivateVersion(ActivateVersionRequest request, ServerCallContext context)
    {
        var (name, version) = ModelMapping.ReadVersion(request.Model);
        var activation = Unwrap(await Task.Run(() => registry.Activate(name, version), CancellationToken.None));
        return new ActivateVersionResponse { Model = ModelMapping.ToWire(activation.Active), PreviousVersion = activation.Previous ?? "" };
    }

    public override async Task<RollbackResponse> Rollback(RollbackRequest request, ServerCallContext context)
    {
        var (name, _) = ModelMapping.ReadSelector(request.Name, null, "name");
        var activation = Unwrap(await Task.Run(() => registry.Rollback(name), CancellationToken.None));
        return new RollbackResponse { Model = ModelMapping.ToWire(activation.Active), PreviousVersion = activation.Previous ?? "" };
    }

    public override Task<SetTrafficResponse> SetTraffic(SetTrafficRequest request, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("SetTraffic", "Call ActivateVersion, or name a loaded version in each request (model.version).");

    public override Task<UpsertItemsResponse> UpsertItems(UpsertItemsRequest request, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("UpsertItems", "Train a new version with events of the new items.");

    public override async Task ExportModel(ExportModelRequest request, IServerStreamWriter<ExportModelResponse> responseStream, ServerCallContext context)
    {
        var (name, version) = ModelMapping.ReadSelector(request.Model?.Name, request.Model?.Version);
        var format = ExportMapping.ReadFormat(request.Format);
        // Held to the end: the version's weights are read while they are sent.
        using var model = Unwrap(registry.Acquire(name, version));
        await exporter.SendAsync(model.Artifact, format, responseStream, context.CancellationToken);
    }

    private static T Unwrap<T>(Outcome<T> outcome)
        where T : class => outcome.Value ?? throw StatusMapping.ToException(outcome.Rejection!);
}
