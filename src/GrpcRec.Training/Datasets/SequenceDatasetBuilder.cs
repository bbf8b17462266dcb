using GrpcRec.Engine.Models;

namespace GrpcRec.Training.Datasets;

/// <summary>
/// Makes a data set of events that come sequence by sequence, in time order. Items and categories get their ids by first appearance;
/// an item's category is the first that it appears with; behaviours are ordered by frequency, then by name.
/// </summary>
public sealed class SequenceDatasetBuilder
{
    /// <summary>A behaviour's id is one byte.</summary>
    public const int MaxBehaviors = 255;

    private readonly Dictionary<string, int> _itemIds = new(StringComparer.Ordinal);
    private readonly List<int> _itemCategories = [];
    private readonly List<long> _itemCounts = [];
    private readonly Dictionary<string, int> _categoryIds = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _behaviorIds = new(StringComparer.Ordinal);
    private readonly List<long> _behaviorCounts = [];
    private readonly List<string> _keys = [];
    private readonly List<int> _starts = [];
    private readonly List<int> _items;
    private readonly List<byte> _behaviors;
    private readonly List<long> _times;
    private readonly List<float> _values;
    private readonly string[] _labelNames;
    private readonly List<float>[] _labels;
    private readonly string[] _contextNames;
    private readonly (Dictionary<string, int> Values, List<ushort> Ids)[] _contexts;

    /// <param name="labelNames">Label columns; each event gives one number for each, NaN where unlabelled.</param>
    /// <param name="capacity">Events expected.</param>
    /// <param name="contextNames">Context columns; each event gives one value for each, null where it has none.</param>
    public SequenceDatasetBuilder(IReadOnlyList<string> labelNames, int capacity = 0, IReadOnlyList<string>? contextNames = null)
    {
        ArgumentNullException.ThrowIfNull(labelNames);
        _labelNames = [.. labelNames];
        _labels = [.. labelNames.Select(_ => new List<float>(capacity))];
        _contextNames = [.. contextNames ?? []];
        _contexts = [.. _contextNames.Select(_ => (new Dictionary<string, int>(StringComparer.Ordinal), new List<ushort>(capacity)))];
        _items = new(capacity);
        _behaviors = new(capacity);
        _times = new(capacity);
        _values = new(capacity);
    }

    public int MaxSequences { get; init; } = int.MaxValue - 1;
    public int MaxItems { get; init; } = int.MaxValue;
    public int MaxCategories { get; init; } = int.MaxValue;

    /// <summary>The times given are times, and not positions.</summary>
    public bool HasTimes { get; init; } = true;

    /// <summary>Events added so far.</summary>
    public int EventCount => _items.Count;

    /// <summary>Ends the sequence at work, if any, and begins another.</summary>
    /// <exception cref="DatasetLimitException">There are too many.</exception>
    public void BeginSequence(string key)
    {
        if (_keys.Count == MaxSequences)
            throw new DatasetLimitException($"There are more than {MaxSequences} sequences (limit MaxSequences); raise the limit, or drop short ones with MinUserEvents.");
        _keys.Add(key);
        _starts.Add(_items.Count);
    }

    /// <param name="value">NaN: none.</param>
    /// <param name="category">null: none.</param>
    /// <param name="labels">[labels]</param>
    /// <param name="contexts">[contexts] null or empty: none.</param>
    /// <exception cref="DatasetLimitException">There are too many items, behaviours, categories or values of a context.</exception>
    public void Add(
        string item, string behavior, long timestampMs, float value = float.NaN, string? category = null, ReadOnlySpan<float> labels = default,
        ReadOnlySpan<string?> contexts = default)
    {
        if (_keys.Count == 0)
            throw new InvalidOperationException("Begin a sequence first.");
        if (labels.Length != _labels.Length)
            throw new ArgumentException($"There are {_labels.Length} label columns and {labels.Length} labels.", nameof(labels));
        if (contexts.Length != _contexts.Length)
            throw new ArgumentException($"There are {_contexts.Length} context columns and {contexts.Length} contexts.", nameof(contexts));

        var itemId = Id(_itemIds, item, MaxItems, "items", "MaxItems; raise the limit, or drop rare ones with MinItemEvents");
        if (itemId == _itemCategories.Count)
        {
            _itemCategories.Add(-1);
            _itemCounts.Add(0);
        }

        _itemCounts[itemId]++;
        if (category is not null && _itemCategories[itemId] < 0)
            _itemCategories[itemId] = Id(_categoryIds, category, MaxCategories, "categories", "MaxCategories; map coarser ones");

        var behaviorId = Id(_behaviorIds, behavior, MaxBehaviors, "behaviours", "an id is one byte; is the right column mapped to \"behavior\"?");
        if (behaviorId == _behaviorCounts.Count)
            _behaviorCounts.Add(0);
        _behaviorCounts[behaviorId]++;

        _items.Add(itemId);
        _behaviors.Add((byte)behaviorId);
        _times.Add(timestampMs);
        _values.Add(value);
        for (var l = 0; l < labels.Length; l++)
            _labels[l].Add(labels[l]);
        for (var c = 0; c < contexts.Length; c++)
        {
            var (values, ids) = _contexts[c];
            ids.Add(contexts[c] is { Length: > 0 } given
                ? (ushort)(1 + Id(values, given, ContextColumn.MaxDistinct, $"values of the context column \"{_contextNames[c]}\"", "is it an id? map coarser ones"))
                : (ushort)0);
        }
    }

    /// <summary>The data set, unsplit: every role is None, and an item's count is over all events.</summary>
    public SequenceDataset Build()
    {
        // 1. Behaviours by frequency, then by name.
        var names = _behaviorIds.OrderBy(pair => pair.Value).Select(pair => pair.Key).ToArray();
        var order = Enumerable.Range(0, names.Length).OrderByDescending(b => _behaviorCounts[b]).ThenBy(b => names[b], StringComparer.Ordinal).ToArray();
        var renamed = new byte[names.Length];
        for (var rank = 0; rank < order.Length; rank++)
            renamed[order[rank]] = (byte)rank;
        var behaviors = order.Select(b => names[b]).ToArray();
        byte[] behaviorIds = [.. _behaviors];
        for (var t = 0; t < behaviorIds.Length; t++)
            behaviorIds[t] = renamed[behaviorIds[t]];

        // 2. Vocabularies in the order of their ids.
        var items = new CatalogItem[_itemIds.Count];
        foreach (var (id, dense) in _itemIds)
            items[dense] = new CatalogItem(id, _itemCounts[dense], _itemCategories[dense]);
        var categories = new string[_categoryIds.Count];
        foreach (var (name, dense) in _categoryIds)
            categories[dense] = name;

        // 3. Columns.
        var labels = new Dictionary<string, float[]>(StringComparer.Ordinal);
        for (var l = 0; l < _labels.Length; l++)
            labels[_labelNames[l]] = [.. _labels[l]];
        var contexts = new SortedDictionary<string, ContextColumn>(StringComparer.Ordinal);
        for (var c = 0; c < _contexts.Length; c++)
            contexts[_contextNames[c]] = new([.. _contexts[c].Values.OrderBy(pair => pair.Value).Select(pair => pair.Key)], [.. _contexts[c].Ids]);
        var dataset = new SequenceDataset
        {
            Items = new ItemCatalog(items),
            Behaviors = behaviors,
            Categories = categories,
            SequenceKeys = [.. _keys],
            Offsets = [.. _starts, _items.Count],
            ItemIds = [.. _items],
            BehaviorIds = behaviorIds,
            TimestampsMs = [.. _times],
            HasTimes = HasTimes,
            Values = [.. _values],
            Labels = labels,
            Contexts = contexts,
            Roles = new SplitRole[_items.Count],
            Fingerprint = new DataFingerprint("", _items.Count, _keys.Count),
        };
        Array.Fill(dataset.Roles, SplitRole.None);
        return dataset.With(dataset.Roles, dataset.Items, contexts, new DataFingerprint(EventFingerprint.Of(dataset), dataset.EventCount, dataset.SequenceCount));
    }

    private static int Id(Dictionary<string, int> ids, string name, int limit, string what, string advice)
    {
        if (ids.TryGetValue(name, out var id))
            return id;
        if (ids.Count == limit)
            throw new DatasetLimitException($"There are more than {limit} {what} ({advice}).");
        ids.Add(name, ids.Count);
        return ids.Count - 1;
    }
}
