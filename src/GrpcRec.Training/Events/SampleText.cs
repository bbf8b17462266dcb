using System.Text;

namespace GrpcRec.Training.Events;

/// <summary>Pieces of a file as they may be shown: short, on one line, without control characters.</summary>
internal static class SampleText
{
    public const int MaxLength = 200;

    public static string Shorten(string text)
    {
        var shown = new StringBuilder(Math.Min(text.Length, MaxLength) + 1);
        foreach (var c in text.AsSpan(0, Math.Min(text.Length, MaxLength)))
            shown.Append(char.IsControl(c) && c != '\t' ? '·' : c == '\t' ? ' ' : c);
        if (shown.Length > 0 && char.IsHighSurrogate(shown[^1]))
            shown.Length--;
        if (text.Length > MaxLength)
            shown.Append('…');
        return shown.ToString();
    }
}
