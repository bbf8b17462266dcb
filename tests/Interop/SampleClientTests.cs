namespace GrpcRec.Interop.Tests;

/// <summary>The sample clients, run as their READMEs say, against a real server over every transport.</summary>
public sealed class SampleClientTests(ServingFixture server) : IClassFixture<ServingFixture>
{
    [SkippableTheory]
    [InlineData("tcp")]
    [InlineData("tls")]
    [InlineData("unix")]
    public async Task Python_OverEachTransport_CallsStreamsAndReadsErrors(string transport)
    {
        var python = Installed.Python;
        if (!Directory.Exists(server.Stubs))
            (await ExternalProgram.RunAsync(Path.Combine(Installed.Root, "samples/python/generate.sh"), [server.Stubs])).MustSucceed();
        var run = await ExternalProgram.RunAsync(python, [Path.Combine(Installed.Root, "samples/python/client.py"), .. Arguments(transport)], ("GRPCREC_STUBS", server.Stubs));
        Check(run);
    }

    [SkippableTheory]
    [InlineData("tcp")]
    [InlineData("tls")]
    [InlineData("unix")]
    public async Task Node_OverEachTransport_CallsStreamsAndReadsErrors(string transport) =>
        Check(await ExternalProgram.RunAsync(Installed.Node, [Path.Combine(Installed.Root, "samples/node/client.js"), .. Arguments(transport)]));

    string[] Arguments(string transport) =>
        [server.Target(transport), "--ca", server.Authority, "--watch", ServingFixture.OldTraining, "item-1:view", "item-2:purchase", "nowhere"];

    static void Check(ExternalProgram run)
    {
        var lines = run.MustSucceed().Output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        // 1. Server-streaming, to the end of the stream.
        Assert.Contains(lines, line => line.StartsWith($"{ServingFixture.OldTraining} TRAINING_STATE_FAILED", StringComparison.Ordinal) && line.Contains("server stopped", StringComparison.Ordinal));
        // 2. Unary.
        Assert.Contains("Rank by shop v1, 2 events read", lines);
        Assert.Equal(5, lines.Count(line => line.Length > 2 && char.IsDigit(line[0]) && line[1] == '.'));
        Assert.Equal(3, lines.Count(line => line.StartsWith("item-", StringComparison.Ordinal) && line.Contains("buy 0.", StringComparison.Ordinal) && line.Contains("action [", StringComparison.Ordinal)));
        // 3. A deadline.
        Assert.Contains(lines, line => line.StartsWith("DEADLINE_EXCEEDED", StringComparison.Ordinal));
        // 4. BadRequest, decoded.
        Assert.Contains(lines, line => line.StartsWith("INVALID_ARGUMENT", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("user.sequence.events[0].value [NOT_FINITE]", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("k [OUT_OF_RANGE]", StringComparison.Ordinal));
        Assert.Contains("reason INVALID_REQUEST", lines);
    }
}
