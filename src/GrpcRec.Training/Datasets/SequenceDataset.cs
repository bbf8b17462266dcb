using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using GrpcRec.Engine.Models;

namespace GrpcRec.Training.Datasets;

/// <summary>The part an event plays as a target, that is when it is predicted from the events before it.</summary>
public enum SplitRole : byte { Train, Validation, Test, None }

/// <summary>
/// Cleaned events as sequences in time order, in flat arrays: sequence s holds the events Offsets[s] … Offsets[s+1]-1.
/// Event t (not the first of its sequence) is a target, predicted from the events before it; its <see cref="Roles"/> entry says in which split.
/// Memory: 21 bytes an event, 4 for each label column and 2 for each context column.
/// </summary>
public sealed class SequenceDataset
{
    public required ItemCatalog Items { get; init; }
    public required IReadOnlyList<string> Behaviors { get; init; }
    public required IReadOnlyList<string> Categories { get; init; }

    /// <summary>[S] the caller's own user (or session) ids.</summary>
    public required string[] SequenceKeys { get; init; }

    /// <summary>[S + 1]</summary>
    public required int[] Offsets { get; init; }

    /// <summary>[N] dense item ids.</summary>
    public required int[] ItemIds { get; init; }

    /// <summary>[N] dense behaviour ids.</summary>
    public required byte[] BehaviorIds { get; init; }

    /// <summary>[N] milliseconds since 1970 UTC; the position in the file when it has no times.</summary>
    public required long[] TimestampsMs { get; init; }

    /// <summary>Times are times, and not positions.</summary>
    public bool HasTimes { get; init; } = true;

    /// <summary>[N] NaN where there is none.</summary>
    public required float[] Values { get; init; }

    /// <summary>Label columns by name, each [N], NaN where unlabelled.</summary>
    public required IReadOnlyDictionary<string, float[]> Labels { get; init; }

    /// <summary>
    /// Context columns by name. Unsplit: with every value that was read; split: with those of the training part, <see cref="ContextColumn.OfTraining"/>.
    /// What belongs to the user (an age band) stands on each of the user's events.
    /// </summary>
    public IReadOnlyDictionary<string, ContextColumn> Contexts { get; init; } = new SortedDictionary<string, ContextColumn>(StringComparer.Ordinal);

    /// <summary>[N]</summary>
    public required SplitRole[] Roles { get; init; }

    /// <summary>Of the cleaned events in this order.</summary>
    public required DataFingerprint Fingerprint { get; init; }

    /// <summary>Of the events and of the part that each plays: the same events in another split are other data to train on. Hex.</summary>
    public string SplitSha256
    {
        get
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            hash.AppendData(Encoding.ASCII.GetBytes(Fingerprint.Sha256));
            hash.AppendData(MemoryMarshal.AsBytes<SplitRole>(Roles));
            return Convert.ToHexStringLower(hash.GetHashAndReset());
        }
    }

    public int SequenceCount => Offsets.Length - 1;
    public int EventCount => ItemIds.Length;

    /// <summary>The same events, some of them no longer targets of the part that they were in.</summary>
    /// <param name="roles">[N]</param>
    public SequenceDataset WithRoles(SplitRole[] roles)
    {
        ArgumentNullException.ThrowIfNull(roles);
        ArgumentOutOfRangeException.ThrowIfNotEqual(roles.Length, EventCount, nameof(roles));
        return With(roles, Items, Contexts, Fingerprint);
    }

    /// <summary>The same events with other roles, and what follows from them.</summary>
    internal SequenceDataset With(SplitRole[] roles, ItemCatalog items, IReadOnlyDictionary<string, ContextColumn> contexts, DataFingerprint fingerprint) => new()
    {
        Items = items,
        Behaviors = Behaviors,
        Categories = Categories,
        SequenceKeys = SequenceKeys,
        Offsets = Offsets,
        ItemIds = ItemIds,
        BehaviorIds = BehaviorIds,
        TimestampsMs = TimestampsMs,
        HasTimes = HasTimes,
        Values = Values,
        Labels = Labels,
        Contexts = contexts,
        Roles = roles,
        Fingerprint = fingerprint,
    };
}
