using System.Diagnostics;
using System.Net.Sockets;
using Grpc.Net.Client;

namespace GrpcRec.Server.Jobs;

/// <summary>One life of the training worker: a child process that answers TrainingService on a private Unix socket.</summary>
public sealed class TrainerProcess : IAsyncDisposable
{
    static readonly TimeSpan ConnectInterval = TimeSpan.FromMilliseconds(50);

    readonly Process _process;
    readonly WorkerLog _log;
    readonly string _socketFolder;
    readonly string _socketPath;
    readonly TimeProvider _time;

    TrainerProcess(Process process, WorkerLog log, string socketFolder, string socketPath, TimeProvider time)
    {
        (_process, _log, _socketFolder, _socketPath, _time) = (process, log, socketFolder, socketPath, time);
        Identity = ProcessIdentity.Of(process.Id) ?? new(process.Id, 0);
    }

    public ProcessIdentity Identity { get; }

    /// <param name="jobDirectory">The worker keeps its checkpoints here.</param>
    /// <param name="log">Gets the worker's output; disposed with the process.</param>
    public static TrainerProcess Start(TrainerProgram program, TrainingJobsOptions options, string jobDirectory, string version, WorkerLog log, TimeProvider time)
    {
        // A Unix socket's path has at most 107 bytes, and a state directory may lie deep: so a short folder of its own, readable by this user alone.
        var socketFolder = Directory.CreateTempSubdirectory("grpcrec-").FullName;
        var socketPath = Path.Combine(socketFolder, "worker.sock");
        var start = new ProcessStartInfo(program.FileName)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var argument in program.LeadingArguments) start.ArgumentList.Add(argument);
        foreach (var argument in (string[])[
            "worker", "--socket", socketPath, "--parent", Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture),
            "--job-dir", Path.GetFullPath(jobDirectory), "--models", Path.GetFullPath(options.ModelsRoot),
            "--version", version, "--data-root", Path.GetFullPath(options.DataRoot)])
            start.ArgumentList.Add(argument);
        TrainerEnvironment.Apply(start.Environment);

        var process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, e) => { if (e.Data is not null) log.Write(e.Data); };
        process.ErrorDataReceived += (_, e) => { if (e.Data is not null) log.Write(e.Data); };
        try
        {
            process.Start();
        }
        catch
        {
            process.Dispose();
            log.Dispose();
            Directory.Delete(socketFolder, recursive: true);
            throw;
        }
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return new(process, log, socketFolder, socketPath, time);
    }

    /// <summary>Waits until the worker listens.</summary>
    /// <returns>null when it ended or <paramref name="timeout"/> passed before.</returns>
    public async Task<GrpcChannel?> ConnectAsync(TimeSpan timeout, CancellationToken cancellation)
    {
        var started = _time.GetTimestamp();
        while (!_process.HasExited && _time.GetElapsedTime(started) < timeout)
        {
            if (await ListensAsync(cancellation))
                return OpenChannel();
            await Task.Delay(ConnectInterval, _time, cancellation);
        }
        return null;
    }

    async Task<bool> ListensAsync(CancellationToken cancellation)
    {
        if (!File.Exists(_socketPath)) return false;
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socketPath), cancellation);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    GrpcChannel OpenChannel() => GrpcChannel.ForAddress("http://localhost", new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socketPath), cancellation);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        },
        DisposeHttpClient = true,
    });

    /// <summary>Completes when its memory passes <paramref name="limit"/> bytes, with the size; or with null when it ended.</summary>
    /// <param name="observe">Told each reading, bytes.</param>
    public async Task<long?> WatchMemoryAsync(long limit, TimeSpan interval, Action<long> observe, CancellationToken cancellation)
    {
        using var timer = new PeriodicTimer(interval, _time);
        while (!_process.HasExited && await timer.WaitForNextTickAsync(cancellation))
        {
            var resident = Identity.ResidentBytes;
            observe(resident);
            if (resident > limit) return resident;
        }
        return null;
    }

    public void Kill()
    {
        try
        {
            _process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
    }

    /// <summary>Waits for the end, and kills when <paramref name="timeout"/> passes first.</summary>
    public async Task EndAsync(TimeSpan timeout)
    {
        try
        {
            await _process.WaitForExitAsync().WaitAsync(timeout, _time);
        }
        catch (TimeoutException)
        {
            Kill();
            await _process.WaitForExitAsync();
        }
    }

    /// <summary>How it ended, for a person, without paths or types: it goes over the wire.</summary>
    public string ExitReason
    {
        get
        {
            if (!_process.HasExited) return "it stopped answering";
            // A process ended by signal n has the exit code 128 + n.
            return _process.ExitCode switch
            {
                137 => "it was killed (signal 9; the kernel does so when memory runs out)",
                > 128 and var code => $"it was ended by signal {code - 128}",
                var code => $"it ended with exit code {code}",
            };
        }
    }

    /// <summary>Its last output, for the server's own log.</summary>
    public string LastWords => string.Join('\n', _log.Tail);

    public async ValueTask DisposeAsync()
    {
        Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _log.Dispose();
        try
        {
            Directory.Delete(_socketFolder, recursive: true);
        }
        catch (IOException)
        {
            // A folder left in the temporary directory does no harm.
        }
    }
}
