using System.Collections.Frozen;

namespace GrpcRec.Engine.Models;

/// <param name="Id">The caller's own id.</param>
/// <param name="Count">Events of it in the training split: its popularity.</param>
/// <param name="Category">Dense id into <see cref="ModelManifest.Categories"/>; -1 when it has none.</param>
public sealed record CatalogItem(string Id, long Count, int Category = -1);

/// <summary>Items by dense id (0…V-1) and by the caller's own id. <c>items.jsonl</c> holds one item a line, in the order of the dense ids.</summary>
public sealed class ItemCatalog
{
    private readonly FrozenDictionary<string, int> _denseIds;

    /// <exception cref="ArgumentException">Two items share an id.</exception>
    public ItemCatalog(IReadOnlyList<CatalogItem> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        Items = items;
        // A frozen dictionary keeps the last of two equal keys in silence.
        var seen = new HashSet<string>(items.Count, StringComparer.Ordinal);
        foreach (var item in items)
        {
            if (!seen.Add(item.Id))
                throw new ArgumentException($"two items have the id '{item.Id}'", nameof(items));
        }

        _denseIds = items.Select((item, index) => KeyValuePair.Create(item.Id, index)).ToFrozenDictionary(StringComparer.Ordinal);
    }

    public IReadOnlyList<CatalogItem> Items { get; }

    public int Count => Items.Count;

    public bool TryGetDenseId(string id, out int denseId) => _denseIds.TryGetValue(id, out denseId);
}
