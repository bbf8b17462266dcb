using System.Text.Json;

namespace GrpcRec.Engine.Models;

/// <summary><c>items.jsonl</c>: one item a line in the order of the dense ids, each line ended by a line feed.</summary>
internal static class CatalogFile
{
    private const byte LineFeed = (byte)'\n';

    /// <exception cref="ArtifactException">A line is no item, or the items do not fit the manifest.</exception>
    public static ItemCatalog Parse(ReadOnlySpan<byte> text, ModelManifest manifest, ArtifactLimits limits)
    {
        var lines = text.Count(LineFeed);
        if (lines != manifest.CatalogSize || (text.Length > 0 && text[^1] != LineFeed))
            throw new ArtifactException($"{ModelArtifact.ItemsFile}: {lines} whole lines and catalog_size is {manifest.CatalogSize}");

        var items = new CatalogItem[lines];
        for (var line = 0; line < items.Length; line++)
        {
            var end = text.IndexOf(LineFeed);
            try
            {
                items[line] = JsonSerializer.Deserialize(text[..end], CatalogJson.Default.CatalogItem)
                    ?? throw new ArtifactException($"{ModelArtifact.ItemsFile}: line {line + 1} is null");
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                throw new ArtifactException($"{ModelArtifact.ItemsFile}: line {line + 1} is not an item", e);
            }

            text = text[(end + 1)..];
        }

        Check(items, manifest, limits);
        try
        {
            return new ItemCatalog(items);
        }
        catch (ArgumentException e)
        {
            throw new ArtifactException($"{ModelArtifact.ItemsFile}: {e.Message}", e);
        }
    }

    /// <exception cref="ArtifactException">The items do not fit the manifest.</exception>
    public static void Check(IReadOnlyList<CatalogItem> items, ModelManifest manifest, ArtifactLimits limits)
    {
        if (items.Count != manifest.CatalogSize)
            throw new ArtifactException($"{ModelArtifact.ItemsFile}: {items.Count} items and catalog_size is {manifest.CatalogSize}");
        for (var index = 0; index < items.Count; index++)
        {
            var item = items[index];
            if (string.IsNullOrEmpty(item.Id) || item.Id.Length > limits.MaxItemIdLength)
                throw new ArtifactException($"{ModelArtifact.ItemsFile}: item {index} has an id of {item.Id?.Length ?? 0} characters; 1 to {limits.MaxItemIdLength} are allowed");
            if (item.Count < 0)
                throw new ArtifactException($"{ModelArtifact.ItemsFile}: item {index} has count {item.Count}; it must not be negative");
            if (item.Category < -1 || item.Category >= manifest.Categories.Count)
                throw new ArtifactException($"{ModelArtifact.ItemsFile}: item {index} has category {item.Category}; -1 to {manifest.Categories.Count - 1} are allowed");
        }
    }

    public static void Write(Stream stream, ItemCatalog items)
    {
        foreach (var item in items.Items)
        {
            JsonSerializer.Serialize(stream, item, CatalogJson.Default.CatalogItem);
            stream.WriteByte(LineFeed);
        }
    }
}
