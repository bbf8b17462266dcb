using System.Globalization;
using System.Text;

namespace GrpcRec.Server.Jobs;

/// <summary>A worker's output on disk, and its last lines in memory. Bounded: past the limit, output is counted and not written. Thread-safe.</summary>
public sealed class WorkerLog : IDisposable
{
    const int TailLines = 20;
    const int LineLength = 2_000;

    readonly Lock _lock = new();
    readonly StreamWriter _writer;
    readonly Queue<string> _tail = new(TailLines);
    readonly long _limit;
    long _written;
    long _dropped;
    bool _closed;

    /// <param name="limit">Bytes of the file past which nothing is added.</param>
    public WorkerLog(string path, long limit)
    {
        _limit = limit;
        var stream = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite);
        _written = stream.Length;
        _writer = new StreamWriter(stream, new UTF8Encoding(false)) { AutoFlush = true };
    }

    public void Write(string line)
    {
        if (line.Length > LineLength) line = string.Concat(line.AsSpan(0, LineLength), "…");
        lock (_lock)
        {
            if (_closed) return;
            if (_tail.Count == TailLines) _tail.Dequeue();
            _tail.Enqueue(line);

            var bytes = Encoding.UTF8.GetByteCount(line) + 1;
            if (_written + bytes > _limit)
            {
                _dropped++;
                return;
            }
            _written += bytes;
            _writer.Write(line);
            _writer.Write('\n');
        }
    }

    /// <summary>The last lines written, oldest first.</summary>
    public IReadOnlyList<string> Tail
    {
        get
        {
            lock (_lock) return _tail.ToArray();
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_closed) return;
            _closed = true;
            if (_dropped > 0) _writer.Write(string.Create(CultureInfo.InvariantCulture, $"[{_dropped} further lines were not written: the log has reached its limit]\n"));
            _writer.Dispose();
        }
    }
}
