using System.Globalization;

namespace GrpcRec.Server.Jobs;

/// <summary>What /proc says of a process. A pid is used again by the kernel; pid and start time together name one process for good.</summary>
/// <param name="StartTicks">Clock ticks from boot to its start.</param>
public readonly record struct ProcessIdentity(int Pid, long StartTicks)
{
    /// <returns>null when there is no such process, or no /proc.</returns>
    public static ProcessIdentity? Of(int pid)
    {
        if (ReadStat(pid) is not { } fields || fields.Length < 20) return null;
        // Field 3 is the state: a zombie is a process that has ended.
        if (fields[0] is "Z" or "X") return null;
        return long.TryParse(fields[19], NumberStyles.None, CultureInfo.InvariantCulture, out var ticks) ? new(pid, ticks) : null;
    }

    /// <summary>True while this very process lives.</summary>
    public bool IsAlive => Of(Pid) == this;

    /// <summary>Resident memory in bytes; 0 when it cannot be read.</summary>
    public long ResidentBytes
    {
        get
        {
            // statm: size and resident, in pages
            var text = ReadText($"/proc/{Pid}/statm");
            if (text is null) return 0;
            var fields = text.Split(' ');
            return fields.Length > 1 && long.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out var pages) ? pages * Environment.SystemPageSize : 0;
        }
    }

    /// <summary>True when its command line holds <paramref name="word"/>.</summary>
    public bool Runs(string word) => ReadText($"/proc/{Pid}/cmdline")?.Contains(word, StringComparison.Ordinal) ?? false;

    /// <summary>Fields of /proc/pid/stat from the third on: the second, the name in parentheses, may itself hold spaces.</summary>
    static string[]? ReadStat(int pid)
    {
        var text = ReadText($"/proc/{pid}/stat");
        var nameEnd = text?.LastIndexOf(')') ?? -1;
        return nameEnd < 0 ? null : text![(nameEnd + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
    }

    static string? ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
