using GrpcRec.Training.Evaluation;

namespace GrpcRec.Training.Tests.Evaluation;

public sealed class MulticlassMetricsTests
{
    [Fact]
    public void AddTo_FourRows_GivesHandWorkedMacroAverages()
    {
        var multiclass = new MulticlassMetrics(4);
        multiclass.Add([0.7f, 0.1f, 0.1f, 0.1f], 0); // right
        multiclass.Add([0.6f, 0.2f, 0.1f, 0.1f], 1); // taken for 0
        multiclass.Add([0.1f, 0.8f, 0.05f, 0.05f], 1); // right
        multiclass.Add([0.4f, 0.2f, 0.4f, 0f], 2); // a tie goes to the first: 0
        var metrics = new Dictionary<string, double>();
        multiclass.AddTo(metrics, "x");

        // Class 0: precision 1/3, recall 1, F1 1/2. Class 1: 1, 1/2, 2/3. Class 2: 0, 0, 0. Class 3 has no label and is left out.
        Assert.Equal(0.5, metrics["accuracy/x"], 12);
        Assert.Equal((1.0 / 3 + 1 + 0) / 3, metrics["precision/x"], 12);
        Assert.Equal((1 + 0.5 + 0) / 3, metrics["recall/x"], 12);
        Assert.Equal((0.5 + 2.0 / 3) / 3, metrics["f1/x"], 12);
        Assert.Equal(-(Math.Log(0.7f) + Math.Log(0.2f) + Math.Log(0.8f) + Math.Log(0.4f)) / 4, metrics["logloss/x"], 12);
        // By confidence: 0.4 wrong, 0.6 wrong, 0.7 right, 0.8 right, each a bin of its own.
        Assert.Equal((0.4 + 0.6 + 0.3 + 0.2) / 4, metrics["ece/x"], 6);
        Assert.Equal(4, metrics["count/x"]);
    }

    [Fact]
    public void AddTo_NoRows_GivesTheCountAlone()
    {
        var metrics = new Dictionary<string, double>();
        new MulticlassMetrics(2).AddTo(metrics, "x");
        Assert.Equal("count/x", Assert.Single(metrics).Key);
    }

    [Fact]
    public void Add_BadRows_Throws()
    {
        var multiclass = new MulticlassMetrics(2);
        Assert.Throws<ArgumentException>(() => multiclass.Add([1f], 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => multiclass.Add([0.5f, 0.5f], 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => multiclass.Add([0.5f, 0.5f], -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => multiclass.Add([0.5f, float.NaN], 0));
        Assert.Equal(0, multiclass.Count);
    }
}
