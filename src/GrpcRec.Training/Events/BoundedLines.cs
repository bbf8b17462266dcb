using System.IO.Compression;
using System.Text;

namespace GrpcRec.Training.Events;

/// <summary>Lines of a text file, gzipped or not, none longer in memory than a bound: a file without a line break must not fill the memory.</summary>
internal sealed class BoundedLines : IDisposable
{
    /// <summary>Longest line kept, in characters. An event is a few hundred; past this a row is bad.</summary>
    public const int MaxLineLength = 64 * 1024;

    private readonly StreamReader _reader;
    private readonly char[] _buffer = new char[64 * 1024];
    private readonly StringBuilder _line = new();
    private int _start, _end;

    public BoundedLines(string path)
    {
        Stream stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16, FileOptions.SequentialScan);
        if (path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase))
            stream = new GZipStream(stream, CompressionMode.Decompress);
        _reader = new StreamReader(stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: true, 1 << 16);
    }

    /// <summary>The next line that is not empty, without its break; null at the end. An overlong line is cut, and said to be.</summary>
    public string? Read(out bool overlong)
    {
        while (true)
        {
            var line = ReadAny(out overlong);
            if (line is null || !string.IsNullOrWhiteSpace(line))
                return line;
        }
    }

    /// <summary>The next line, even an empty one: a quoted field may hold it.</summary>
    public string? ReadAny(out bool overlong)
    {
        _line.Clear();
        overlong = false;
        var any = false;
        while (true)
        {
            if (_start == _end)
            {
                _start = 0;
                _end = _reader.Read(_buffer, 0, _buffer.Length);
                if (_end == 0)
                    return any ? Take() : null;
            }

            any = true;
            var rest = _buffer.AsSpan(_start, _end - _start);
            var at = rest.IndexOf('\n');
            var piece = at < 0 ? rest : rest[..at];
            var room = MaxLineLength - _line.Length;
            overlong |= piece.Length > room;
            _line.Append(piece[..Math.Min(piece.Length, room)]);
            _start += at < 0 ? rest.Length : at + 1;
            if (at >= 0)
                return Take();
        }
    }

    public void Dispose() => _reader.Dispose();

    private string Take()
    {
        if (_line.Length > 0 && _line[^1] == '\r')
            _line.Length--;
        return _line.ToString();
    }
}
