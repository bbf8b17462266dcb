using Microsoft.ML.OnnxRuntime;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>How ONNX Runtime is run in every suite: its fastest settings for one caller.</summary>
public static class OrtSettings
{
    public static string Name { get; } = "ONNX Runtime " + string.Join('.', OrtEnv.Instance().GetVersionString().Split('.')[..2]);

    public static SessionOptions Create(int threads)
    {
        var options = new SessionOptions
        {
            IntraOpNumThreads = threads,
            InterOpNumThreads = 1,
            ExecutionMode = ExecutionMode.ORT_SEQUENTIAL,
            GraphOptimizationLevel = GraphOptimizationLevel.ORT_ENABLE_ALL,
        };
        // Its pool's threads wait spinning for a short while, as our second thread does.
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "1");
        return options;
    }
}
