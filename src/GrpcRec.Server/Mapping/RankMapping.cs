using Google.Protobuf.Collections;
using GrpcRec.Engine.Ranking;
using GrpcRec.Serving.Admission;
using GrpcRec.Serving.Batching;
using GrpcRec.Serving.Registry;
using GrpcRec.V1;
using RankedItem = GrpcRec.V1.RankedItem;
using TaskKind = GrpcRec.Engine.Models.TaskKind;

namespace GrpcRec.Server.Mapping;

/// <summary>A Rank as it was understood: from the wire, to the batch, and back.</summary>
public sealed class RankMapping
{
    private readonly RankRequest _request;
    private readonly ModelHandle _model;
    private readonly SequenceInput _sequence;
    private readonly int[] _features;
    private readonly IReadOnlyList<WeightedTask> _objective;

    // Dense ids, ascending and different: seen or blocked.
    private readonly int[] _excluded;
    private readonly RankFilter _filter;

    // Candidates that the filter leaves, ascending: scored for every task, because the objective asks for more than the engine ranks by.
    // Null: the engine ranks.
    private readonly int[]? _scored;
    private readonly int _unknownCandidates;

    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT with all that is wrong, or UNIMPLEMENTED.</exception>
    public RankMapping(RankRequest request, ModelHandle model, RequestLimits limits)
    {
        var violations = new Violations();
        _request = request;
        _model = model;
        _sequence = SequenceMapping.Read(request.User, model, limits, violations);
        _features = model.RequestFeatures.Of(ContextMapping.Read(request.Context, "context", model.RequestContextNames, "requests", limits, violations));
        _objective = ObjectiveMapping.Read(request, model.Tasks, limits, violations);
        var blocked = ReadIds(request.BlockedItemIds, "blocked_item_ids", limits.MaxBlocked, model, limits, violations, out _);
        _excluded = Ascending(blocked.Concat(request.ExcludeSeen ? _sequence.Seen : []));
        _filter = new RankFilter
        {
            AllowedItems = request.CandidateItemIds.Count == 0 ? null : Ascending(
                ReadIds(request.CandidateItemIds, "candidate_item_ids", limits.MaxCandidates, model, limits, violations, out _unknownCandidates)),
            AllowedCategories = request.AllowedCategories.Count == 0 ? null : CategoryMapping.Read(request.AllowedCategories, "allowed_categories", model, limits, violations),
            BlockedCategories = CategoryMapping.Read(request.BlockedCategories, "blocked_categories", model, limits, violations),
        };
        CheckK(request, model, limits, violations);
        violations.ThrowIfAny();
        if (_filter.AllowedItems is { } candidates && !IsNextItemAlone)
            _scored = [.. candidates.Except(_excluded).Where(item => _filter.Allows(item, model.Items.Items[item].Category))];
    }

    /// <summary>The engine's own order is the objective's.</summary>
    private bool IsNextItemAlone => _objective is [{ Weight: > 0, Column.Task.Kind: TaskKind.NextItem }];

    public BatchRequest ToBatch(TimeSpan? timeout, CancellationToken cancellationToken) => new()
    {
        Items = _sequence.Items,
        Behaviors = _sequence.Kinds,
        RequestFeatures = _features,
        Candidates = _scored ?? [],
        // Candidates may be more than the catalogue has, by repetition or unknown ones.
        RankK = _scored is null ? Math.Min(_request.K, _model.Manifest.CatalogSize) : 0,
        RankExcluded = _scored is null ? _excluded : [],
        RankFilter = _scored is null && !_filter.IsEmpty ? _filter : null,
        ScoreRanked = _scored is null && _request.IncludePredictions,
        Timeout = timeout,
        CancellationToken = cancellationToken,
    };

    public RankResponse ToWire(BatchRequest done)
    {
        var response = new RankResponse
        {
            Model = new ModelVersion { Name = _model.Manifest.Name, Version = _model.Manifest.Version },
            Reading = _sequence.Reading,
            UnknownCandidates = _unknownCandidates,
        };
        if (_scored is null)
        {
            for (var i = 0; i < done.Ranked.Length; i++)
                response.Items.Add(ToWire(done.Ranked[i].Item, _objective[0].Value(done.Ranked[i].Score), done, i));
            return response;
        }

        var scores = new (double Score, int Row)[_scored.Length];
        for (var row = 0; row < scores.Length; row++)
        {
            var logits = RowOf(done, row);
            var score = 0.0;
            foreach (var term in _objective)
                score += term.Value(logits[term.Column.Offset]);
            scores[row] = (score, row);
        }

        // Rows are in the catalogue's order, so ties by row are ties by the catalogue's order.
        Array.Sort(scores, (a, b) => b.Score.CompareTo(a.Score) is var byScore && byScore != 0 ? byScore : a.Row.CompareTo(b.Row));
        foreach (var (score, row) in scores.Take(_request.K))
            response.Items.Add(ToWire(_scored[row], score, done, row));
        return response;
    }

    private RankedItem ToWire(int item, double score, BatchRequest done, int row)
    {
        var ranked = new RankedItem { ItemId = _model.Items.Items[item].Id, Score = score };
        if (_request.IncludePredictions)
        {
            foreach (var column in _model.Tasks.Candidate)
                ranked.Predictions.Add(PredictionMapping.ToWire(column, RowOf(done, row)));
        }

        return ranked;
    }

    private ReadOnlySpan<float> RowOf(BatchRequest done, int row) =>
        done.CandidateLogits.AsSpan(row * _model.Tasks.CandidateWidth, _model.Tasks.CandidateWidth);

    private static void CheckK(RankRequest request, ModelHandle model, RequestLimits limits, Violations violations)
    {
        var whole = request.CandidateItemIds.Count == 0;
        var there = whole ? model.Manifest.CatalogSize : request.CandidateItemIds.Count;
        var most = Math.Min(limits.MaxK, there);
        if (request.K < 1 || request.K > most)
            violations.Add(
                "k", ViolationReason.OutOfRange,
                $"It is {request.K}; 1 to {most} are allowed: the smaller of {limits.MaxK} and the {(whole ? "catalogue's items" : "candidates given")} ({there}).");
    }

    private static int[] Ascending(IEnumerable<int> items) => [.. items.Distinct().Order()];

    private static List<int> ReadIds(
        RepeatedField<string> ids, string path, int most, ModelHandle model, RequestLimits limits, Violations violations, out int unknown)
    {
        List<int> known = [];
        unknown = 0;
        if (ids.Count > most)
        {
            violations.Add(path, ViolationReason.TooMany, $"There are {ids.Count} items and at most {most} are taken.");
            return known;
        }

        for (var i = 0; i < ids.Count; i++)
        {
            if (!SequenceMapping.CheckId(ids[i], path, i, "", limits, violations))
                continue;
            if (model.Items.TryGetDenseId(ids[i], out var item))
                known.Add(item);
            else
                unknown++;
        }

        return known;
    }
}
