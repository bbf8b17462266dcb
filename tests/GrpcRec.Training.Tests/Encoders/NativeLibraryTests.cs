using GrpcRec.Training.Tests.Learning;
using TorchSharp;

namespace GrpcRec.Training.Tests.Encoders;

[Collection(TorchTests.Name)]
public class NativeLibraryTests
{
    [Fact]
    public void Tensor_LibraryBuiltForNewerCompiler_LoadsAndComputes()
    {
        using var scope = torch.NewDisposeScope();
        Assert.Equal(6f, torch.tensor(new float[] { 1, 2, 3 }).sum().item<float>());
    }
}
