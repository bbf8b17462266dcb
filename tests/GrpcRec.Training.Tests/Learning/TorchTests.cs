using TorchSharp;

namespace GrpcRec.Training.Tests.Learning;

/// <summary>
/// Torch's global generator is seeded and read by these tests: one at a time, and none beside the others. One thread: the models are tiny,
/// and a second one would only be waited for.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class TorchTests : ICollectionFixture<TorchTests.OneThread>
{
    public const string Name = "Torch";

    public sealed class OneThread
    {
        public OneThread() => torch.set_num_threads(1);
    }
}
