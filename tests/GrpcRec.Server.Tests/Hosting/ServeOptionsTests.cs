using System.CommandLine;
using GrpcRec.Server.Commands;
using Microsoft.Extensions.Configuration;

namespace GrpcRec.Server.Tests.Hosting;

public sealed class ServeOptionsTests
{
    [Fact]
    public void Read_Nothing_GivesTheDefaults()
    {
        var options = Read([]);
        Assert.Equal(Environment.ProcessorCount, options.Threads);
        Assert.Equal(new ServerOptions().Limits, options.Limits);
        Assert.Equal(new ServerOptions().ChunkEvents, options.ChunkEvents);
    }

    [Fact]
    public void Read_ThreadsAndLimits_AreTaken()
    {
        var options = Read(
            ["--threads", "3", "--slots", "7", "--chunk-events", "9", "--max-events", "11", "--max-candidates", "12", "--max-k", "13", "--max-blocked", "14", "--max-id-bytes", "15"],
            ("MAX_TASKS", "16"), ("THREADS", "5"));
        Assert.Equal((3, 7, 9), (options.Threads, options.Slots, options.ChunkEvents));
        var limits = options.Limits;
        Assert.Equal((11, 12, 13), (limits.MaxEvents, limits.MaxCandidates, limits.MaxK));
        Assert.Equal((14, 15, 16), (limits.MaxBlocked, limits.MaxIdBytes, limits.MaxTasks));
    }

    [Theory]
    [InlineData("--threads", "many")]
    [InlineData("--threads", "-1")]
    [InlineData("--max-k", "1e3")]
    public void Read_NotANumber_NamesTheOption(string option, string value) =>
        Assert.Contains(option, Assert.Throws<ServerOptionsException>(() => Read([option, value])).Message, StringComparison.Ordinal);

    [Fact]
    public async Task Start_OutOfRange_SaysTheBound()
    {
        var options = Read(["--threads", "0"]);
        var exception = await Assert.ThrowsAsync<ServerOptionsException>(() => ServerHost.StartAsync(options));
        Assert.Contains("Threads", exception.Message, StringComparison.Ordinal);
        Assert.Contains("256", exception.Message, StringComparison.Ordinal);
    }

    private static ServerOptions Read(string[] arguments, params (string Key, string Value)[] environment)
    {
        var options = new ServeOptions();
        var command = new Command("serve");
        options.AddTo(command);
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection(environment.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value)))
            .Build();
        return options.Read(command.Parse(arguments), configuration);
    }
}
