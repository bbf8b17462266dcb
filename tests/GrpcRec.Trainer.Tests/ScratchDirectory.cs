namespace GrpcRec.Trainer.Tests;

/// <summary>A directory of the test's own, gone at its end.</summary>
sealed class ScratchDirectory : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("grpcrec-trainer-tests-");

    public string Path => _directory.FullName;

    public void Dispose() => _directory.Delete(recursive: true);
}
