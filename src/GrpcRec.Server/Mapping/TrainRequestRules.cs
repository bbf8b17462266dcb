using System.Globalization;
using System.Text;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using GrpcRec.Server.Jobs;
using GrpcRec.V1;

namespace GrpcRec.Server.Mapping;

/// <summary>Every bound that training_plan.proto states, checked before a job is made of the request.</summary>
static class TrainRequestRules
{
    // Of a network that does not say.
    const int DefaultSequenceLength = 200;

    const int MaxNameLength = 64;
    const int MaxColumnBytes = 256;
    const int MaxLabelColumns = 64;
    const int MaxContextColumns = 16;
    const int MaxContextNameBytes = 64;
    const long MaxDurationSeconds = 315_576_000_000;
    const int MaxNanos = 999_999_999;

    /// <param name="dataRoot">Where event files are.</param>
    /// <param name="violations">Gets all that is wrong, together.</param>
    public static void Check(TrainRequest request, string dataRoot, Violations violations)
    {
        CheckModelName(request.ModelName, violations);
        CheckData(request.Data, dataRoot, violations);
        TaskRules.Check(request.Tasks, request.Data?.Columns, violations);
        ArchitectureRules.Check(request.Architecture, violations);
        if (request.Architecture is { } features) FeatureSpecRules.Check(features, request.Data?.Columns?.Contexts ?? [], violations);
        HyperparameterRules.Check(request.Hyperparameters, request.Architecture is { HasMaxSequenceLength: true } network ? network.MaxSequenceLength : DefaultSequenceLength, violations);
        CheckNextItemParts(request, violations);
        if (request.Hyperparameters?.Distillation > 0 && request.Tasks.All(task => task.Kind != TaskKind.Binary))
            violations.Add("hyperparameters.distillation", ViolationReason.NotAllowed, "softens the labels of binary tasks, and no task is one: leave it out.");
        CheckSplit(request.Split, violations);
        CheckBaseline(request, violations);
    }

    static void CheckNextItemParts(TrainRequest request, Violations violations)
    {
        if (request.Architecture is not { } network) return;
        var none = request.Tasks.Count > 0 && request.Tasks.All(task => task.Kind != TaskKind.NextItem);
        if (network.ItemMemory && none)
            violations.Add("architecture.item_memory", ViolationReason.NotAllowed, "belongs to a next_item task, and no task is one: leave it out.");
        if (network.RepeatTerms && none)
            violations.Add("architecture.repeat_terms", ViolationReason.NotAllowed, "belong to a next_item task, and no task is one: leave them out.");
        if (network.RepeatTerms && request.Hyperparameters?.NextItemLoss is NextItemLoss.SampledSoftmax or NextItemLoss.BprMax)
            violations.Add("architecture.repeat_terms", ViolationReason.NotAllowed, "are learnt by the full softmax alone: leave hyperparameters.next_item_loss out, or these.");
    }

    static void CheckBaseline(TrainRequest request, Violations violations)
    {
        if (request.Baseline.Length == 0) return;
        if (request.Baseline is not ("popularity" or "mf" or "markov-1" or "item-knn" or "rates"))
            violations.Add("baseline", ViolationReason.UnknownName, $"is {Violations.Quote(request.Baseline)}; use popularity, mf, markov-1, item-knn or rates, or leave it out for a network.");
        else if (request.Baseline == "rates")
            CheckRates(request.Tasks, violations);
        else if (request.Tasks.Count > 0 && request.Tasks is not [{ Kind: TaskKind.NextItem }])
            violations.Add("tasks", ViolationReason.NotAllowed, "must be one next_item task, or none: this baseline predicts the next item alone.");
    }

    static void CheckRates(RepeatedField<TaskSpec> tasks, Violations violations)
    {
        if (tasks.Count == 0)
            violations.Add("tasks", ViolationReason.Required, "is required: rates are of binary tasks.");
        else if (tasks.Any(task => task.Kind != TaskKind.Binary || task.Given.Length > 0))
            violations.Add("tasks", ViolationReason.NotAllowed, "must be binary ones that need no other's outcome first: of nothing else there are rates.");
    }

    static void CheckModelName(string name, Violations violations)
    {
        const string field = "model_name";
        if (name.Length == 0)
            violations.Add(field, ViolationReason.Required, "is required: the name of the model to make.");
        else if (name.Length > MaxNameLength)
            violations.Add(field, ViolationReason.TooLong, $"has {name.Length} characters; at most {MaxNameLength}.");
        else if (!(char.IsAsciiLetterLower(name[0]) || char.IsAsciiDigit(name[0])) || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '_' or '.'))
            violations.Add(field, ViolationReason.InvalidFormat, $"is {Violations.Quote(name)}; use a-z, 0-9, '-', '_' and '.', beginning with a letter or digit.");
    }

    internal static void CheckData(DataSource? data, string dataRoot, Violations violations)
    {
        if (data is null)
        {
            violations.Add("data", ViolationReason.Required, "is required: where the events are (data.path).");
            return;
        }
        if (DataPath.Refuse(dataRoot, data.Path) is { } fault)
            violations.Add("data.path", data.Path.Length == 0 ? ViolationReason.Required : ViolationReason.NotAllowed, fault);
        else if (data.Format == DataFormat.Unspecified && !HasKnownEnding(data.Path))
            violations.Add("data.format", ViolationReason.Required, "is required here: the file's ending is none of .csv, .tsv, .jsonl, .parquet (the text ones also with .gz).");
        if (!System.Enum.IsDefined(data.Format))
            violations.Add("data.format", ViolationReason.UnknownName, $"is {(int)data.Format}, which is no DataFormat.");
        if (data.Columns is { } columns) CheckColumns(columns, violations);
        if (data.Cleaning is { } cleaning) CheckCleaning(cleaning, violations);
    }

    static bool HasKnownEnding(string path)
    {
        var name = path.ToLowerInvariant();
        if (name.EndsWith(".gz", StringComparison.Ordinal)) name = name[..^3];
        return Path.GetExtension(name) is ".csv" or ".tsv" or ".jsonl" || path.EndsWith(".parquet", StringComparison.OrdinalIgnoreCase);
    }

    static void CheckColumns(ColumnMapping columns, Violations violations)
    {
        (string Field, string Name)[] single =
        [
            ("user_id", columns.UserId), ("item_id", columns.ItemId), ("timestamp_ms", columns.TimestampMs), ("behavior", columns.Behavior),
            ("value", columns.Value), ("category", columns.Category), ("session_id", columns.SessionId),
        ];
        foreach (var (field, name) in single) CheckColumn($"data.columns.{field}", name, violations);
        CheckRepeated("data.columns.labels", columns.Labels, MaxLabelColumns, MaxColumnBytes, violations);
        CheckRepeated("data.columns.contexts", columns.Contexts, MaxContextColumns, MaxContextNameBytes, violations);
    }

    static void CheckRepeated(string list, RepeatedField<string> names, int most, int maxBytes, Violations violations)
    {
        if (names.Count > most)
            violations.Add(list, ViolationReason.TooMany, $"has {names.Count} columns; at most {most}.");
        for (var i = 0; i < Math.Min(names.Count, most); i++)
        {
            var field = $"{list}[{i}]";
            if (names[i].Length == 0) violations.Add(field, ViolationReason.Required, "is empty; name a column of the file.");
            CheckColumn(field, names[i], violations, maxBytes);
            if (names.IndexOf(names[i]) < i) violations.Add(field, ViolationReason.Repeated, $"repeats {Violations.Quote(names[i])}.");
        }
    }

    static void CheckColumn(string field, string name, Violations violations, int maxBytes = MaxColumnBytes)
    {
        if (Encoding.UTF8.GetByteCount(name) > maxBytes) violations.Add(field, ViolationReason.TooLong, $"has more than {maxBytes} bytes.");
        else if (name.Any(char.IsControl)) violations.Add(field, ViolationReason.InvalidFormat, "must not hold control characters.");
    }

    static void CheckCleaning(Cleaning cleaning, Violations violations)
    {
        InRange("data.cleaning.min_user_events", cleaning.HasMinUserEvents, cleaning.MinUserEvents, 1, int.MaxValue, violations);
        InRange("data.cleaning.min_item_events", cleaning.HasMinItemEvents, cleaning.MinItemEvents, 1, int.MaxValue, violations);
        if (cleaning.HasMaxBadRowShare && cleaning.MaxBadRowShare is not (>= 0 and <= 1))
            violations.Add("data.cleaning.max_bad_row_share", RangeReason(cleaning.MaxBadRowShare), $"is {Number(cleaning.MaxBadRowShare)}; 0 to 1.");
        CheckDuration("data.cleaning.session_gap", cleaning.SessionGap, violations);
    }

    internal static void CheckSplit(Split? split, Violations violations)
    {
        if (split?.Time is { } time)
        {
            var validation = time.HasValidationShare ? time.ValidationShare : 0.1;
            var test = time.HasTestShare ? time.TestShare : 0.1;
            var open = true;
            foreach (var (field, share) in new[] { ("split.time.validation_share", validation), ("split.time.test_share", test) })
                if (share is not (> 0 and < 1))
                {
                    violations.Add(field, RangeReason(share), $"is {Number(share)}; above 0, below 1.");
                    open = false;
                }
            if (open && validation + test >= 1)
                violations.Add("split.time", ViolationReason.OutOfRange, $"validates with {Number(validation)} and tests with {Number(test)} of the events: nothing is left to train on.");
        }
        if (split?.Date is { } date)
        {
            var whole = CheckTimestamp("split.date.validation_from", date.ValidationFrom, violations) & CheckTimestamp("split.date.test_from", date.TestFrom, violations);
            if (whole && date.TestFrom.CompareTo(date.ValidationFrom) <= 0)
                violations.Add("split.date.test_from", ViolationReason.OutOfOrder, "must be later than split.date.validation_from.");
        }
    }

    internal static void InRange(string field, bool given, int value, int low, int high, Violations violations)
    {
        if (!given || (value >= low && value <= high)) return;
        var bound = high == int.MaxValue ? $"at least {low}" : string.Create(CultureInfo.InvariantCulture, $"{low:N0} to {high:N0}");
        violations.Add(field, ViolationReason.OutOfRange, $"is {value}; {bound}.");
    }

    internal static void CheckDuration(string field, Duration? duration, Violations violations)
    {
        if (duration is null) return;
        var normal = duration.Seconds is >= 0 and <= MaxDurationSeconds && duration.Nanos is >= 0 and <= MaxNanos;
        if (!normal || (duration.Seconds == 0 && duration.Nanos == 0))
            violations.Add(field, ViolationReason.OutOfRange, "must be above zero, with nanos from 0 to 999,999,999.");
    }

    static bool CheckTimestamp(string field, Timestamp? timestamp, Violations violations)
    {
        if (timestamp is null)
        {
            violations.Add(field, ViolationReason.Required, "is required with split.date.");
            return false;
        }
        // Years 1 to 9999, as the message type itself says.
        if (timestamp.Seconds is >= -62_135_596_800 and <= 253_402_300_799 && timestamp.Nanos is >= 0 and <= MaxNanos) return true;
        violations.Add(field, ViolationReason.OutOfRange, "is no time between the years 1 and 9999.");
        return false;
    }

    internal static ViolationReason RangeReason(double value) => double.IsFinite(value) ? ViolationReason.OutOfRange : ViolationReason.NotFinite;

    internal static string Number(double value) => value.ToString("G6", CultureInfo.InvariantCulture);
}
