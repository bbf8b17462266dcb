using System.IO.Compression;

namespace GrpcRec.Training.Datasets;

/// <summary>
/// The public data sets of the benchmarks, read from their own layouts and split as their protocols say (the shared data's README).
/// b1a: ML-1M; b1b: ML-1M from rating 3 on, 10-core; b1c: Amazon Beauty; b3: ML-1M with ratings; all leave-one-out.
/// b2: KuaiRand-Pure by date. b4: Diginetica's sessions.
/// </summary>
public static class BenchmarkData
{
    /// <summary>Names that <see cref="Load"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = ["b1a", "b1b", "b1c", "b2", "b3", "b4"];

    /// <param name="dataRoot">The folder with the data sets' own folders.</param>
    /// <exception cref="ArgumentException">The name is none of <see cref="Names"/>.</exception>
    /// <exception cref="BenchmarkDataException">A file is missing, or not as the benchmark's.</exception>
    public static SequenceDataset Load(string name, string dataRoot)
    {
        ArgumentNullException.ThrowIfNull(dataRoot);
        return name switch
        {
            "b1a" => MovieLensData.InOrder(Path.Combine(dataRoot, "ml-1m", "ml-1m_sas.txt.gz")),
            "b1b" => MovieLensData.TenCore(Path.Combine(dataRoot, "ml-1m", "ratings_ordered.csv.gz")),
            "b1c" => MovieLensData.InOrder(Path.Combine(dataRoot, "amazon-beauty-bert4rec", "beauty.txt.gz")),
            "b2" => KuaiRandData.Read(Path.Combine(dataRoot, "kuairand-pure-partial")),
            "b3" => MovieLensData.Rated(Path.Combine(dataRoot, "ml-1m", "ratings_ordered.csv.gz")),
            "b4" => DigineticaData.Read(Path.Combine(dataRoot, "diginetica-gcegnn")),
            _ => throw new ArgumentException($"There is no benchmark \"{name}\"; there are {string.Join(", ", Names)}.", nameof(name)),
        };
    }

    /// <summary>Context columns of a benchmark that a rate baseline knows too.</summary>
    public static IReadOnlyList<string> ContextColumns(string name) => name == "b2" ? ["tab"] : [];

    /// <summary>The lines of a gzipped text file.</summary>
    internal static IEnumerable<string> Lines(string path)
    {
        if (!File.Exists(path))
            throw new BenchmarkDataException($"The benchmark's file \"{Path.GetFileName(path)}\" is not in the data folder.");
        using var reader = new StreamReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress));
        while (reader.ReadLine() is { } line)
            yield return line;
    }
}
