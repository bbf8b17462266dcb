using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace GrpcRec.Training.Datasets;

/// <summary>
/// SHA-256 of a data set's events: vocabularies, keys and columns in the data set's order, each with its length before it, little-endian.
/// Two data sets share it when they hold the same events in the same order, however they were read and split.
/// </summary>
public static class EventFingerprint
{
    private const string Form = "grpcrec-events-1";

    /// <returns>64 lower-case hex digits.</returns>
    public static string Of(SequenceDataset dataset)
    {
        ArgumentNullException.ThrowIfNull(dataset);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        AddText(hash, Form);
        AddTexts(hash, dataset.Behaviors);
        AddTexts(hash, dataset.Categories);
        AddTexts(hash, [.. dataset.Items.Items.Select(item => item.Id)]);
        AddColumn<int>(hash, [.. dataset.Items.Items.Select(item => item.Category)]);
        AddTexts(hash, dataset.SequenceKeys);
        AddColumn<int>(hash, dataset.Offsets);
        AddColumn<int>(hash, dataset.ItemIds);
        AddColumn<byte>(hash, dataset.BehaviorIds);
        AddColumn<long>(hash, dataset.TimestampsMs);
        AddNumbers(hash, dataset.Values);
        foreach (var (name, column) in dataset.Labels.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            AddText(hash, name);
            AddNumbers(hash, column);
        }

        // Nothing where there are none, so that data without contexts keeps the fingerprint that it always had.
        foreach (var (name, column) in dataset.Contexts.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            AddText(hash, "context");
            AddText(hash, name);
            AddTexts(hash, column.Values);
            AddColumn<ushort>(hash, column.Ids);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void AddTexts(IncrementalHash hash, IReadOnlyList<string> texts)
    {
        AddLength(hash, texts.Count);
        foreach (var text in texts)
            AddText(hash, text);
    }

    private static void AddText(IncrementalHash hash, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        AddLength(hash, bytes.Length);
        hash.AppendData(bytes);
    }

    // Bytes as they lie in memory: the projects run on little-endian machines alone (linux-x64).
    private static void AddColumn<T>(IncrementalHash hash, ReadOnlySpan<T> column)
        where T : unmanaged
    {
        AddLength(hash, column.Length);
        hash.AppendData(MemoryMarshal.AsBytes(column));
    }

    /// <summary>NaN has many bit patterns and one meaning, and so has zero.</summary>
    private static void AddNumbers(IncrementalHash hash, float[] numbers) =>
        AddColumn<float>(hash, Array.ConvertAll(numbers, n => float.IsNaN(n) ? float.NaN : n + 0f));

    private static void AddLength(IncrementalHash hash, int length) => hash.AppendData(BitConverter.GetBytes(length));
}
