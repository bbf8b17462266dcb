using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;

namespace GrpcRec.Engine.Steps;

/// <param name="Offset">First column of the task in its row of logits.</param>
internal readonly record struct HeadColumn(TaskManifest Task, int Offset);

/// <summary>Where each task's logits stand, and the checks of what callers ask of the heads. Shared by all engines.</summary>
internal sealed class HeadLayout
{
    private readonly int _categories;
    private readonly IReadOnlyList<RequestFeatureManifest> _requests;

    // Columns of a task that needs another's outcome first, and of that other, in the manifest's order.
    private readonly (int Own, int Given)[] _chains;

    public HeadLayout(ModelManifest manifest)
    {
        _categories = manifest.Categories.Count;
        _requests = manifest.RequestFeatures;
        CatalogSize = manifest.CatalogSize;
        var candidate = new List<HeadColumn>();
        var sequence = new List<HeadColumn>();
        foreach (var task in manifest.Tasks)
        {
            if (task.NeedsCandidate)
            {
                candidate.Add(new HeadColumn(task, CandidateWidth));
                CandidateWidth += task.OutputWidth;
            }
            else
            {
                sequence.Add(new HeadColumn(task, SequenceWidth));
                SequenceWidth += task.OutputWidth;
            }
        }

        NextItemOffset = candidate.Where(head => head.Task.Kind == TaskKind.NextItem).Select(head => head.Offset).DefaultIfEmpty(-1).First();
        Candidate = [.. candidate.Where(head => head.Task.Kind != TaskKind.NextItem)];
        Sequence = [.. sequence];
        _chains = [.. Candidate.Where(head => head.Task.Given is not null).Select(head => (head.Offset, Candidate.First(one => one.Task.Name == head.Task.Given).Offset))];
    }

    public int CatalogSize { get; }

    /// <summary>Candidate tasks but next_item, with their columns in a row of <see cref="CandidateWidth"/>.</summary>
    public HeadColumn[] Candidate { get; }

    public HeadColumn[] Sequence { get; }

    public int CandidateWidth { get; }

    public int SequenceWidth { get; }

    /// <summary>Column of next_item in a row of <see cref="CandidateWidth"/>; -1 when the model has no such task.</summary>
    public int NextItemOffset { get; }

    public bool HasNextItem => NextItemOffset >= 0;

    /// <summary>Makes p(given)·p(own) of the logits of tasks that need another's outcome first. Once, when all logits stand.</summary>
    /// <param name="logits">[N, CandidateWidth].</param>
    public void Chain(Span<float> logits)
    {
        foreach (var (own, given) in _chains)
        {
            for (var row = 0; row < logits.Length; row += CandidateWidth)
                logits[row + own] = ChainedLogit.Of(logits[row + own], logits[row + given]);
        }
    }

    public void CheckRequest(ReadOnlySpan<int> request)
    {
        if (!request.IsEmpty && request.Length != _requests.Count)
            throw new ArgumentException($"{request.Length} request features where {_requests.Count} are due, or none", nameof(request));
        for (var n = 0; n < request.Length; n++)
        {
            if ((uint)request[n] >= (uint)_requests[n].Count)
                throw new ArgumentOutOfRangeException(nameof(request), $"index {request[n]} of request feature {_requests[n].Name} is not from 0 to {_requests[n].Count - 1}");
        }
    }

    public void CheckCandidates(ReadOnlySpan<int> items, int logits)
    {
        if (logits != (long)items.Length * CandidateWidth)
            throw new ArgumentException($"{logits} logits where {items.Length} × {CandidateWidth} are due", nameof(logits));
        foreach (var item in items)
        {
            if ((uint)item >= (uint)CatalogSize)
                throw new ArgumentOutOfRangeException(nameof(items), $"item {item} is not from 0 to {CatalogSize - 1}");
        }
    }

    public static void CheckLength(int length, int due, string name)
    {
        if (length != due)
            throw new ArgumentException($"{length} numbers where {due} are due", name);
    }

    public void CheckNextItem()
    {
        if (!HasNextItem)
            throw new InvalidOperationException("the model has no next_item task, so it cannot rank the catalogue");
    }

    public void CheckQueries(ReadOnlySpan<RankQuery> queries, SlotTable slots)
    {
        CheckNextItem();
        foreach (var query in queries)
        {
            slots.Check(query.Slot);
            if (query.K < 1 || query.K > CatalogSize)
                throw new ArgumentOutOfRangeException(nameof(queries), $"k is {query.K}; 1 to {CatalogSize} are allowed");
            RankFilter.CheckIds(query.Excluded, CatalogSize, "excluded items");
            query.Filter?.Check(CatalogSize, _categories);
        }
    }
}
