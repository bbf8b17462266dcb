using GrpcRec.Training.Events;

namespace GrpcRec.Training.Tests.Events;

public sealed class ImportMemoryTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("grpcrec-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    /// <summary>500,000 long rows, some 140 MB of text to clean and sort in 128 MiB: only spilling can do it.</summary>
    [Fact]
    public void Import_FileLargerThanItsMemory_SpillsAndSucceeds()
    {
        const int Rows = 500_000;
        var path = Path.Combine(_directory, "large.csv");
        using (var writer = new StreamWriter(path))
        {
            writer.WriteLine("user_id,item_id,timestamp_ms");
            for (var i = 0; i < Rows; i++)
            {
                // A multiplicative walk over users, so that neither users nor times come sorted.
                var user = (uint)i * 2654435761u % 4000;
                writer.WriteLine($"{user:D6}-{new string('u', 120)},{i % 5000:D6}-{new string('i', 120)},{(long)(uint)(i * 40503) * 1000}");
            }
        }

        var limits = new ImportLimits { MemoryBytes = ImportLimits.LeastMemoryBytes, SpillDirectory = Path.Combine(_directory, "spill") };
        var (data, report) = EventImporter.Import(new EventFile { Path = path }, new CleaningRules { Limits = limits, MinItemEvents = 2 });
        Assert.Equal(Rows, report.RowsRead);
        Assert.Equal(Rows, report.RowsKept + report.DuplicateRows);
        Assert.Equal(4000, data.SequenceCount);
        Assert.Empty(Directory.EnumerateFileSystemEntries(limits.SpillDirectory));

        var refused = Assert.Throws<ImportException>(() => EventImporter.Import(
            new EventFile { Path = path }, new CleaningRules { Limits = limits with { SpillBytes = 0 } }));
        Assert.Contains("SpillBytes", refused.Message, StringComparison.Ordinal);
    }
}
