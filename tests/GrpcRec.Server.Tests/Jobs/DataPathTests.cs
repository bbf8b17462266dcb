using GrpcRec.Server.Jobs;

namespace GrpcRec.Server.Tests.Jobs;

public sealed class DataPathTests : IDisposable
{
    readonly string _outside = Directory.CreateTempSubdirectory("grpcrec-path-").FullName;
    readonly string _root;

    public DataPathTests()
    {
        _root = Path.Combine(_outside, "root");
        Directory.CreateDirectory(Path.Combine(_root, "sub"));
        File.WriteAllText(Path.Combine(_root, "events.csv"), "x");
        File.WriteAllText(Path.Combine(_root, "sub", "events.csv"), "x");
        File.WriteAllText(Path.Combine(_outside, "secret.csv"), "x");
        // As prefix of the root's name: a comparison of text alone would let it pass.
        Directory.CreateDirectory(_root + "-beside");
        File.WriteAllText(Path.Combine(_root + "-beside", "secret.csv"), "x");
        File.CreateSymbolicLink(Path.Combine(_root, "inside.csv"), "sub/events.csv");
        File.CreateSymbolicLink(Path.Combine(_root, "outside.csv"), "../secret.csv");
        File.CreateSymbolicLink(Path.Combine(_root, "absolute.csv"), Path.Combine(_outside, "secret.csv"));
        File.CreateSymbolicLink(Path.Combine(_root, "loop.csv"), "loop.csv");
        Directory.CreateSymbolicLink(Path.Combine(_root, "beside"), _root + "-beside");
        Directory.CreateSymbolicLink(Path.Combine(_root, "up"), "..");
    }

    [Theory]
    [InlineData("events.csv")]
    [InlineData("sub/events.csv")]
    [InlineData("./sub/events.csv")]
    [InlineData("inside.csv")]
    public void Refuse_FileUnderTheRoot_LetsItPass(string path) => Assert.Null(DataPath.Refuse(_root, path));

    [Theory]
    [InlineData("")]
    [InlineData("/etc/passwd")]
    [InlineData("..")]
    [InlineData("../secret.csv")]
    [InlineData("sub/../../secret.csv")]
    [InlineData("sub/../events.csv")]
    [InlineData("..\\secret.csv")]
    [InlineData("\\secret.csv")]
    [InlineData("C:secret.csv")]
    [InlineData("file:///etc/passwd")]
    [InlineData("a\0b.csv")]
    [InlineData("missing.csv")]
    [InlineData("sub")]
    [InlineData("outside.csv")]
    [InlineData("absolute.csv")]
    [InlineData("loop.csv")]
    [InlineData("beside/secret.csv")]
    [InlineData("up/secret.csv")]
    public void Refuse_AnythingElse_SaysWhyWithoutTheRoot(string path)
    {
        var reason = DataPath.Refuse(_root, path);
        Assert.NotNull(reason);
        Assert.DoesNotContain(_outside, reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuse_TooLong_IsRefused() => Assert.Contains("1,024", DataPath.Refuse(_root, new string('a', 1_025)), StringComparison.Ordinal);

    [Fact]
    public void Refuse_RootBehindALink_LetsItsFilesPass()
    {
        var link = Path.Combine(_outside, "link");
        Directory.CreateSymbolicLink(link, _root);
        Assert.Null(DataPath.Refuse(link, "events.csv"));
        Assert.NotNull(DataPath.Refuse(link, "outside.csv"));
    }

    public void Dispose() => Directory.Delete(_outside, recursive: true);
}
