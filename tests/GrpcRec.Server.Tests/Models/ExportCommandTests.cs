using System.Diagnostics;
using GrpcRec.Server.Tests.Hosting;

namespace GrpcRec.Server.Tests.Models;

/// <summary><c>grpcrec export</c> as a person runs it.</summary>
public sealed class ExportCommandTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private TestServer _server = null!;

    private string Models => Path.Combine(_server.Directory, "models");

    public async Task InitializeAsync() => _server = await TestServer.StartWithModelAsync();

    public async Task DisposeAsync() => await _server.DisposeAsync();

    [Fact]
    public async Task Export_DirectoryNameOrServer_GiveTheSameFile()
    {
        await SucceedsAsync("directory", Path.Combine(Models, "shop", "v1"));
        await SucceedsAsync("name", "shop", "--models", Models);
        await SucceedsAsync("version", "shop/v1", "--models", Models);
        await SucceedsAsync("server", "shop", "--address", _server.Address.ToString());

        var expected = await File.ReadAllBytesAsync(Output("directory"));
        Assert.NotEmpty(expected);
        foreach (var other in (string[])["name", "version", "server"])
            Assert.Equal(expected, await File.ReadAllBytesAsync(Output(other)));
    }

    [Fact]
    public async Task Export_FileExists_IsRefusedUnlessForced()
    {
        await File.WriteAllTextAsync(Output("there"), "precious");
        var (code, error) = await RunAsync("export", "shop", "--models", Models, "--output", Output("there"));
        Assert.Equal(1, code);
        Assert.Contains("--force", error, StringComparison.Ordinal);
        Assert.Equal("precious", await File.ReadAllTextAsync(Output("there")));
        await SucceedsAsync("there", "shop", "--models", Models, "--force", "--format", "safetensors");
    }

    [Theory]
    [InlineData("nobody", "active version")]
    [InlineData("../shop", "neither a directory")]
    [InlineData("shop/v9", "manifest.json")]
    public async Task Export_NoSuchModel_SaysSoAndWritesNothing(string model, string says)
    {
        var (code, error) = await RunAsync("export", model, "--models", Models, "--output", Output("none"));
        Assert.NotEqual(0, code);
        Assert.Contains(says, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
        Assert.False(File.Exists(Output("none")));
    }

    private string Output(string name) => Path.Combine(_server.Directory, name + ".out");

    private async Task SucceedsAsync(string output, params string[] arguments)
    {
        var (code, error) = await RunAsync(["export", .. arguments, "--output", Output(output)]);
        Assert.True(code == 0, error);
    }

    private static async Task<(int Code, string Error)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Remove("GRPCREC_ADDRESS");
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "grpcrec.dll"));
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(Limit);
        var output = process.StandardOutput.ReadToEndAsync(limit.Token);
        var error = await process.StandardError.ReadToEndAsync(limit.Token);
        await output;
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, error);
    }
}
