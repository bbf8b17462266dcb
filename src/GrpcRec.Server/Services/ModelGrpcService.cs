using Grpc.Core;
using GrpcRec.Server.Mapping;
using GrpcRec.V1;

namespace GrpcRec.Server.Services;

/// <summary>The wire end of the model registry.</summary>
public sealed class ModelGrpcService : ModelService.ModelServiceBase
{
    public override Task<SetTrafficResponse> SetTraffic(SetTrafficRequest request, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("SetTraffic", "Call ActivateVersion, or name a loaded version in each request (model.version).");

    public override Task<UpsertItemsResponse> UpsertItems(UpsertItemsRequest request, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("UpsertItems", "Train a new version with events of the new items.");

    public override Task ExportModel(ExportModelRequest request, IServerStreamWriter<ExportModelResponse> responseStream, ServerCallContext context) =>
        throw StatusMapping.Unimplemented("ExportModel", "A version's directory under the models directory already holds its weights as safetensors.");
}
