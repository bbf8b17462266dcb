namespace GrpcRec.Training.Tests.Learning;

/// <summary>A directory of its own for a test, gone afterwards.</summary>
internal sealed class Workspace : IDisposable
{
    private readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("grpcrec-learning-");

    public string Checkpoint => Path.Combine(_root.FullName, "checkpoint");

    public string Artifact(string version = "1") => Path.Combine(_root.FullName, "models", version);

    public void Dispose() => _root.Delete(recursive: true);
}
