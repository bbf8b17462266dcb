using GrpcRec.Benchmarks.Suites;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Learning;

namespace GrpcRec.Benchmarks.Training;

/// <summary>The job of the train suite: ML-1M's next item as benchmark b1a has it, every training target of every user, nothing validated.</summary>
internal static class TrainingTask
{
    public const int Embedding = 64, Hidden = 128, MaxLength = 200, BatchSize = 64;
    public const double LearningRate = 3e-3, Dropout = 0.2, ClipNorm = 5;
    private const string Variable = "GRPCREC_DATA";

    public static ArchitecturePlan Architecture => new() { EmbeddingSize = Embedding, HiddenSize = Hidden, MaxSequenceLength = MaxLength, Dropout = Dropout };

    /// <exception cref="BenchmarkException">The data set is not here.</exception>
    public static SequenceDataset Load()
    {
        var root = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given ? given : "../shared/data";
        if (!Directory.Exists(Path.Combine(root, "ml-1m")))
            throw new BenchmarkException($"the train suite needs ML-1M and there is no ml-1m in {root}: set {Variable} to the folder of the data sets");
        var whole = BenchmarkData.Load("b1a", root);
        return whole.WithRoles(Array.ConvertAll(whole.Roles, role => role == SplitRole.Train ? role : SplitRole.None));
    }
}
