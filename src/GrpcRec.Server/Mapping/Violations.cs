namespace GrpcRec.Server.Mapping;

/// <summary>What is wrong with a field, for programs. Goes over the wire as UPPER_SNAKE_CASE.</summary>
public enum ViolationReason
{
    Required,
    TooMany,
    TooLong,
    OutOfRange,
    NotFinite,
    OutOfOrder,
    Repeated,
    UnknownName,
    InvalidFormat,
    NotAllowed,
}

/// <param name="Field">Path of the field in the request, for example <c>user.sequence.events[3].value</c>.</param>
/// <param name="Reason">For programs.</param>
/// <param name="Description">For a person: the bound, what was given, what to do.</param>
public sealed record FieldViolation(string Field, ViolationReason Reason, string Description);

/// <summary>All that is wrong with one request, so that a caller mends it once. Bounded: a hostile request cannot make a long reply.</summary>
public sealed class Violations
{
    /// <summary>Violations that are told one by one; further ones are only counted.</summary>
    public const int MaxReported = 32;

    private const int MaxQuoted = 64;

    private readonly List<FieldViolation> _reported = [];

    public int Count { get; private set; }

    public IReadOnlyList<FieldViolation> Reported => _reported;

    public void Add(string field, ViolationReason reason, string description)
    {
        Count++;
        if (_reported.Count < MaxReported)
            _reported.Add(new FieldViolation(field, reason, description));
    }

    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT with every violation, when there is one.</exception>
    public void ThrowIfAny()
    {
        if (Count > 0)
            throw StatusMapping.BadRequest(this);
    }

    /// <summary>A caller's text as it may stand in a message: short and printable.</summary>
    public static string Quote(string text)
    {
        var shown = text.Length <= MaxQuoted ? text : string.Concat(text.AsSpan(0, MaxQuoted), "…");
        return $"\"{string.Concat(shown.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '·' : c))}\"";
    }

    /// <summary>Names to choose from, at most ten.</summary>
    public static string Choices(IReadOnlyCollection<string> names)
    {
        const int shown = 10;
        var list = string.Join(", ", names.Take(shown).Select(Quote));
        return names.Count > shown ? $"{list} and {names.Count - shown} more" : list;
    }
}
