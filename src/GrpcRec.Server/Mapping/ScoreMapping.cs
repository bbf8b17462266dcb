using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Batching;
using GrpcRec.Serving.Registry;
using GrpcRec.V1;

namespace GrpcRec.Server.Mapping;

/// <summary>A Score as it was understood: from the wire, to the batch, and back.</summary>
public sealed class ScoreMapping
{
    private const int Unknown = -1;

    private readonly ScoreRequest _request;
    private readonly ModelHandle _model;
    private readonly SequenceInput _sequence;
    private readonly int[] _features;
    private readonly TaskColumn[] _candidateTasks;
    private readonly TaskColumn[] _sequenceTasks;

    // [N] dense ids, Unknown where the catalogue does not know the item.
    private readonly int[] _candidates;

    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT with all that is wrong, or UNIMPLEMENTED.</exception>
    public ScoreMapping(ScoreRequest request, ModelHandle model, RequestLimits limits)
    {
        var violations = new Violations();
        _request = request;
        _model = model;
        _sequence = SequenceMapping.Read(request.User, model, limits, violations);
        _features = model.RequestFeatures.Of(ContextMapping.Read(request.Context, "context", model.RequestContextNames, "requests", limits, violations));
        var wanted = ReadTasks(request, model.Tasks, limits, violations);
        _candidateTasks = [.. model.Tasks.Candidate.Where(column => wanted is null || wanted.Contains(column.Task.Name))];
        _sequenceTasks = [.. model.Tasks.Sequence.Where(column => wanted is null || wanted.Contains(column.Task.Name))];
        _candidates = ReadCandidates(request, model, limits, violations);
        if (_candidateTasks.Length > 0 && request.CandidateItemIds.Count == 0)
            violations.Add("candidate_item_ids", ViolationReason.Required, $"Give 1 to {limits.MaxCandidates} items, or ask only for tasks of the sequence alone{SequenceTaskNames(model.Tasks)}.");
        violations.ThrowIfAny();
    }

    public BatchRequest ToBatch(TimeSpan? timeout, CancellationToken cancellationToken) => new()
    {
        Items = _sequence.Items,
        Behaviors = _sequence.Kinds,
        RequestFeatures = _features,
        Candidates = _candidateTasks.Length == 0 ? [] : Array.FindAll(_candidates, item => item != Unknown),
        WantsSequenceScores = _sequenceTasks.Length > 0,
        Timeout = timeout,
        CancellationToken = cancellationToken,
    };

    public ScoreResponse ToWire(BatchRequest done)
    {
        var response = new ScoreResponse
        {
            Model = new ModelVersion { Name = _model.Manifest.Name, Version = _model.Manifest.Version },
            Reading = _sequence.Reading,
        };
        foreach (var column in _sequenceTasks)
            response.SequencePredictions.Add(PredictionMapping.ToWire(column, done.SequenceLogits));
        var width = _model.Tasks.CandidateWidth;
        var row = 0;
        for (var i = 0; i < _candidates.Length; i++)
        {
            var score = new CandidateScore { ItemId = _request.CandidateItemIds[i], Known = _candidates[i] != Unknown };
            if (score.Known && _candidateTasks.Length > 0)
            {
                var logits = done.CandidateLogits.AsSpan(row++ * width, width);
                foreach (var column in _candidateTasks)
                    score.Predictions.Add(PredictionMapping.ToWire(column, logits));
            }

            response.Candidates.Add(score);
        }

        return response;
    }

    /// <returns>Null: all.</returns>
    private static HashSet<string>? ReadTasks(ScoreRequest request, TaskLayout tasks, RequestLimits limits, Violations violations)
    {
        if (request.Tasks.Count == 0)
            return null;
        if (request.Tasks.Count > limits.MaxTasks)
        {
            violations.Add("tasks", ViolationReason.TooMany, $"There are {request.Tasks.Count} and at most {limits.MaxTasks} are taken.");
            return null;
        }

        var wanted = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < request.Tasks.Count; i++)
        {
            var name = request.Tasks[i];
            if (!tasks.ByName.ContainsKey(name))
                violations.Add($"tasks[{i}]", ViolationReason.UnknownName, $"The model has no task {Violations.Quote(name)}; it has {Violations.Choices([.. tasks.ByName.Keys])}.");
            else if (!wanted.Add(name))
                violations.Add($"tasks[{i}]", ViolationReason.Repeated, $"{Violations.Quote(name)} is asked for twice.");
        }

        return wanted;
    }

    private static int[] ReadCandidates(ScoreRequest request, ModelHandle model, RequestLimits limits, Violations violations)
    {
        var ids = request.CandidateItemIds;
        if (ids.Count > limits.MaxCandidates)
        {
            violations.Add("candidate_item_ids", ViolationReason.TooMany, $"There are {ids.Count} items and at most {limits.MaxCandidates} are taken: split the request.");
            return [];
        }

        var dense = new int[ids.Count];
        for (var i = 0; i < dense.Length; i++)
            dense[i] = SequenceMapping.CheckId(ids[i], "candidate_item_ids", i, "", limits, violations) && model.Items.TryGetDenseId(ids[i], out var item) ? item : Unknown;
        return dense;
    }

    private static string SequenceTaskNames(TaskLayout tasks) =>
        tasks.Sequence.Count == 0 ? " (this model has none)" : $": {Violations.Choices([.. tasks.Sequence.Select(column => column.Task.Name)])}";
}
