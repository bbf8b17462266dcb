namespace GrpcRec.Training.Tests.Learning;

/// <summary>Torch's global generator is seeded and read by these tests: one at a time, and none beside the others.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class TorchTests
{
    public const string Name = "Torch";
}
