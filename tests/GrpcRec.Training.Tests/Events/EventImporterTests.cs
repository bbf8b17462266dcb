using System.IO.Compression;
using System.Text;
using CsCheck;
using DuckDB.NET.Data;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Events;

namespace GrpcRec.Training.Tests.Events;

public sealed class EventImporterTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("grpcrec-test-").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    private const string Shop =
        """
        user_id,item_id,behavior,timestamp_ms,value,category
        bo,shoe,view,2000,,feet
        al,hat,view,1000,1.5,head
        al,shoe,buy,3000,2,feet
        al,cap,,2000,,head

        """;

    private string Write(string name, string text)
    {
        var path = Path.Combine(_directory, name);
        File.WriteAllText(path, text);
        return path;
    }

    private ImportResult Import(string name, string text, EventColumns? columns = null, CleaningRules? rules = null) =>
        EventImporter.Import(new EventFile { Path = Write(name, text), Columns = columns ?? new() }, rules ?? new());

    private static string[] Events(SequenceDataset data) =>
    [
        .. Enumerable.Range(0, data.SequenceCount).SelectMany(s => Enumerable.Range(data.Offsets[s], data.Offsets[s + 1] - data.Offsets[s])
            .Select(t => FormattableString.Invariant($"{data.SequenceKeys[s]} {data.Items.Items[data.ItemIds[t]].Id} {data.Behaviors[data.BehaviorIds[t]]} {data.TimestampsMs[t]} {data.Values[t]}"))),
    ];

    [Fact]
    public void Import_Csv_GivesSequencesInTimeOrder()
    {
        var (data, report) = Import("shop.csv", Shop);

        Assert.Equal(
            ["al hat view 1000 1.5", "al cap event 2000 NaN", "al shoe buy 3000 2", "bo shoe view 2000 NaN"],
            Events(data));
        Assert.Equal(["view", "buy", "event"], data.Behaviors); // most frequent first, then by name
        Assert.Equal(["head", "feet"], data.Categories);
        Assert.Equal(1, data.Items.Items[data.ItemIds[2]].Category);
        Assert.All(data.Roles, role => Assert.Equal(SplitRole.None, role));
        Assert.Equal((4, 0, 0, 0, 4), (report.RowsRead, report.BadRows, report.DuplicateRows, report.FilteredRows, report.RowsKept));
        Assert.Equal((2, 3, 3), (report.Sequences, report.Items, report.Behaviors));
    }

    [Fact]
    public void Import_TheSameEventsInEveryFormat_GivesOneFingerprint()
    {
        var csv = Import("shop.csv", Shop).Dataset;
        var tsv = Import("shop.tsv", Shop.Replace(',', '\t')).Dataset;
        var shuffled = Import("shuffled.csv", string.Join('\n', Shop.Split('\n').Take(1).Concat(Shop.Split('\n').Skip(1).Reverse()))).Dataset;
        var json = Import("shop.jsonl",
            """
            {"user_id": "bo", "item_id": "shoe", "behavior": "view", "timestamp_ms": 2000, "category": "feet"}
            {"user_id": "al", "item_id": "hat", "behavior": "view", "timestamp_ms": 1000, "value": 1.5, "category": "head", "more": {"a": [1]}}
            {"user_id": "al", "item_id": "shoe", "behavior": "buy", "timestamp_ms": "1970-01-01T00:00:03Z", "value": 2, "category": "feet"}
            {"user_id": "al", "item_id": "cap", "behavior": null, "timestamp_ms": 2000, "category": "head"}
            """).Dataset;
        var parquet = EventImporter.Import(new EventFile { Path = WriteParquet("shop.parquet") }, new()).Dataset;
        var zipped = Path.Combine(_directory, "zipped.csv.gz");
        using (var stream = new GZipStream(File.Create(zipped), CompressionLevel.Fastest))
            stream.Write(Encoding.UTF8.GetBytes(Shop));
        var gzip = EventImporter.Import(new EventFile { Path = zipped }, new()).Dataset;

        Assert.Equal(64, csv.Fingerprint.Sha256.Length);
        Assert.All(new[] { tsv, shuffled, json, parquet, gzip }, data => Assert.Equal(csv.Fingerprint, data.Fingerprint));
        Assert.NotEqual(csv.Fingerprint, Import("other.csv", Shop.Replace("1.5", "1.25", StringComparison.Ordinal)).Dataset.Fingerprint);
    }

    private string WriteParquet(string name)
    {
        var path = Path.Combine(_directory, name);
        using var connection = new DuckDBConnection("DataSource=:memory:");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"""
            COPY (SELECT * FROM (VALUES
                ('bo', 'shoe', 'view', TIMESTAMP '1970-01-01 00:00:02', NULL::DOUBLE, 'feet'),
                ('al', 'hat', 'view', TIMESTAMP '1970-01-01 00:00:01', 1.5, 'head'),
                ('al', 'shoe', 'buy', TIMESTAMP '1970-01-01 00:00:03', 2, 'feet'),
                ('al', 'cap', NULL, TIMESTAMP '1970-01-01 00:00:02', NULL, 'head')) t(user_id, item_id, behavior, timestamp_ms, value, category))
            TO '{path.Replace("'", "''", StringComparison.Ordinal)}' (FORMAT parquet)
            """;
        command.ExecuteNonQuery();
        return path;
    }

    public static TheoryData<string, string> BadRows => new()
    {
        { ",hat,view,1,,", "user_id is missing" },
        { "al,  ,view,1,,", "item_id is missing" },
        { new string('x', 257) + ",hat,view,1,,", "user_id is longer than 256 bytes" },
        { "al,hat,view,soon,,", "timestamp_ms \"soon\" is neither milliseconds nor a date and time" },
        { "al,hat,view,,,", "timestamp_ms is missing" },
        { "al,hat,view,-5,,", "before 1970" },
        { "al,hat,view,1600000000000000,,", "after 2199" },
        { "al,hat,view,1,NaN,", "value \"NaN\" is not a finite number" },
        { "al,hat,view,1,1e300,", "value \"1e300\" is not a finite number" },
        { "al,hat,view,1,much,", "value \"much\" is not a finite number" },
        { "al,hat,view,1", "4 fields where the header has 6" },
        { "al,hat,view,1,,,,", "8 fields where the header has 6" },
        { "al,\"ha\"t,view,1,,", "text after a closing quote" },
        { "\"al,hat,view,1,,", "a quote is not closed" },
        { "al,ha\u0001t,view,1,,", "item_id holds a control character" },
        { "al," + new string('y', 70_000) + ",view,1,,", "longer than 65536 characters" },
    };

    [Theory]
    [MemberData(nameof(BadRows))]
    public void Import_BadRow_IsCountedShownAndLeftOut(string row, string reason)
    {
        var rows = Shop.TrimEnd('\n').Split('\n');
        var text = string.Join('\n', [.. rows[..3], row, .. rows[3..]]) + "\n";
        var (data, report) = Import("bad.csv", text, rules: new CleaningRules { MaxBadRowShare = 0.2 });

        var bad = Assert.Single(report.BadRowSamples);
        Assert.Contains(reason, bad.Reason, StringComparison.Ordinal);
        Assert.Equal(3, bad.Row);
        Assert.Equal(1, report.BadRows);
        Assert.Equal(5, report.RowsRead);
        Assert.Equal(4, data.EventCount);
        Assert.True(bad.Text.Length <= SampleLength, "the text is shortened");
        Assert.DoesNotContain(bad.Text, char.IsControl);
    }

    private const int SampleLength = 201;

    [Theory]
    [InlineData("{\"user_id\": \"al\", \"item_id\": \"hat\", \"timestamp_ms\": 1", "not valid JSON")]
    [InlineData("[1, 2]", "not a JSON object")]
    [InlineData("{\"user_id\": {\"a\": 1}, \"item_id\": \"hat\", \"timestamp_ms\": 1}", "\"user_id\" is not a plain value")]
    [InlineData("{\"user_id\": \"al\", \"item_id\": \"\\ud800\", \"timestamp_ms\": 1}", "not valid Unicode")]
    [InlineData("{\"user_id\": \"al\", \"item_id\": \"hat\"}", "timestamp_ms is missing")]
    public void Import_BadJsonLine_IsCountedShownAndLeftOut(string line, string reason)
    {
        var good = "{\"user_id\": \"al\", \"item_id\": \"hat\", \"timestamp_ms\": 1}\n";
        var (data, report) = Import("bad.jsonl", good + line + "\n", rules: new CleaningRules { MaxBadRowShare = 0.5 });
        var bad = Assert.Single(report.BadRowSamples);
        Assert.Equal(2, bad.Row);
        Assert.Contains(reason, bad.Reason, StringComparison.Ordinal);
        Assert.Equal(1, data.EventCount);
    }

    [Fact]
    public void Import_TooManyBadRows_FailsWithCountsShareAndReasons()
    {
        var error = Assert.Throws<ImportException>(() => Import("bad.csv", Shop + ",hat,view,1,,\nal,hat,view,x,,\n"));
        Assert.Contains("2 of 6 rows are bad, 33.33", error.Message, StringComparison.Ordinal);
        Assert.Contains("1.00", error.Message, StringComparison.Ordinal);
        Assert.Contains("row 5: user_id is missing; row 6: timestamp_ms \"x\"", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, error.Report!.BadRows);
        Assert.Equal(6, error.Report.RowsRead);
    }

    [Fact]
    public void Import_ManyBadRows_ShowsTheFirstTwenty()
    {
        var text = new StringBuilder(Shop);
        for (var i = 0; i < 30; i++)
            text.Append(",hat,view,1,,\n");
        var report = Import("bad.csv", text.ToString(), rules: new CleaningRules { MaxBadRowShare = 1 }).Report;
        Assert.Equal(30, report.BadRows);
        Assert.Equal(Enumerable.Range(5, 20).Select(r => (long)r), report.BadRowSamples.Select(b => b.Row));
    }

    [Fact]
    public void Import_QuotedFields_KeepsDelimitersQuotesAndLineBreaksOfOtherColumns()
    {
        var (data, report) = Import("quoted.csv", "note,user_id,item_id\n\"two\nlines, and a \"\"quote\"\"\",\"a,l\",\"h\"\"at\"\nx,bo,hat\n");
        Assert.Equal(2, report.RowsRead);
        Assert.Equal(0, report.BadRows);
        Assert.Equal("a,l", data.SequenceKeys[0]);
        Assert.True(data.Items.TryGetDenseId("h\"at", out _));
    }

    [Fact]
    public void Import_NoTimes_KeepsTheFilesOrderAndRepeats()
    {
        var (data, report) = Import("plain.csv", "user_id,item_id\nal,b\nal,a\nal,b\n");
        Assert.Equal(["al b event 1 NaN", "al a event 2 NaN", "al b event 3 NaN"], Events(data));
        Assert.Equal(0, report.DuplicateRows);
    }

    [Fact]
    public void Import_Duplicates_AreDroppedUnlessKept()
    {
        const string Text = "user_id,item_id,timestamp_ms,value\nal,hat,1,7\nal,hat,1,8\nal,hat,2,9\nbo,hat,1,6\n";
        var (data, report) = Import("twice.csv", Text);
        Assert.Equal(1, report.DuplicateRows);
        Assert.Equal([7f, 9f, 6f], data.Values); // the first stays

        var kept = Import("twice.csv", Text, rules: new CleaningRules { DropDuplicates = false });
        Assert.Equal([7f, 8f, 9f, 6f], kept.Dataset.Values); // equal times keep the file's order
    }

    [Fact]
    public void Import_KCore_DropsUntilStable()
    {
        // z has one event, so u3 falls to one, so y falls to one: only u1 and u2 over a and b stay.
        var (data, report) = Import("core.csv",
            "user_id,item_id\nu1,a\nu1,b\nu2,a\nu2,b\nu2,y\nu3,y\nu3,z\n",
            rules: new CleaningRules { MinUserEvents = 2, MinItemEvents = 2 });
        Assert.Equal(["u1", "u2"], data.SequenceKeys);
        Assert.Equal(["a", "b"], data.Items.Items.Select(i => i.Id).Order());
        Assert.Equal(3, report.FilteredRows);
        Assert.Equal(4, report.RowsKept);
    }

    [Fact]
    public void Import_AnyEvents_KCoreAgreesWithANaiveOne() =>
        Gen.Select(Gen.Int[0, 5], Gen.Int[0, 5]).Array[1, 40].Sample(
            pairs =>
            {
                var left = pairs.Select((p, i) => (User: p.Item1, Item: p.Item2, Row: i)).ToList();
                int before;
                do
                {
                    before = left.Count;
                    left = [.. left.Where(e => left.Count(o => o.User == e.User) >= 3 && left.Count(o => o.Item == e.Item) >= 2)];
                }
                while (left.Count < before);

                var text = "user_id,item_id\n" + string.Concat(pairs.Select(p => $"{p.Item1},{p.Item2}\n"));
                var rules = new CleaningRules { MinUserEvents = 3, MinItemEvents = 2 };
                if (left.Count == 0)
                    Assert.Contains("No event is left", Assert.Throws<ImportException>(() => Import("core.csv", text, rules: rules)).Message, StringComparison.Ordinal);
                else
                    Assert.Equal(left.OrderBy(e => e.User).ThenBy(e => e.Row).Select(e => $"{e.User} {e.Item} event {e.Row + 1} NaN"), Events(Import("core.csv", text, rules: rules).Dataset));
            },
            iter: 15, threads: 1);

    [Fact]
    public void Import_SessionGap_BeginsNewSequences()
    {
        const string Text = "user_id,item_id,timestamp_ms\nal,a,0\nal,b,1000\nal,c,2001\nbo,a,0\n";
        var data = Import("gap.csv", Text, rules: new CleaningRules { SessionGap = TimeSpan.FromSeconds(1) }).Dataset;
        Assert.Equal(["al#1", "al#2", "bo#1"], data.SequenceKeys); // exactly the gap is not longer than the gap
        Assert.Equal([0, 2, 3, 4], data.Offsets);
        var error = Assert.Throws<ImportException>(() => Import("none.csv", "user_id,item_id\nal,a\n", rules: new CleaningRules { SessionGap = TimeSpan.FromSeconds(1) }));
        Assert.Contains("needs times", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Import_SessionColumn_MakesSessionsTheSequences_AndNeedsNoUsers()
    {
        var data = Import("session.csv", "sid,item_id\ns1,a\ns2,b\ns1,c\n", new EventColumns { SessionId = "sid" }).Dataset;
        Assert.Equal(["s1", "s2"], data.SequenceKeys);
        Assert.Equal([0, 2, 3], data.Offsets);
    }

    [Fact]
    public void Import_LabelColumns_AreKeptAndEmptyIsUnlabelled()
    {
        var (data, _) = Import("labels.csv", "user_id,item_id,like,far\nal,a,1,0.5\nal,b,,\nal,c,false,-2\n", new EventColumns { Labels = ["like", "far"] });
        Assert.Equal([1, float.NaN, 0], data.Labels["like"]);
        Assert.Equal([0.5f, float.NaN, -2], data.Labels["far"]);
    }

    [Theory]
    [InlineData("c.csv", "user_id,item_id,tab,device\nal,a,home,\nal,b,feed,\nal,c,home,tv\n")]
    [InlineData("c.tsv", "user_id\titem_id\ttab\tdevice\nal\ta\thome\t\nal\tb\tfeed\t\nal\tc\thome\ttv\n")]
    [InlineData("c.jsonl", "{\"user_id\":\"al\",\"item_id\":\"a\",\"tab\":\"home\"}\n{\"user_id\":\"al\",\"item_id\":\"b\",\"context\":{\"tab\":\"feed\"}}\n{\"user_id\":\"al\",\"item_id\":\"c\",\"tab\":\"other\",\"context\":{\"values\":{\"tab\":\"home\",\"device\":\"tv\"}}}\n")]
    public void Import_ContextColumns_AreCategoriesAndEmptyIsNone(string name, string text)
    {
        var (data, _) = Import(name, text, new EventColumns { Contexts = ["tab", "device"] });
        Assert.Equal(["device", "tab"], data.Contexts.Keys);
        Assert.Equal(["home", "feed"], data.Contexts["tab"].Values);
        Assert.Equal<ushort>([1, 2, 1], data.Contexts["tab"].Ids);
        Assert.Equal(["tv"], data.Contexts["device"].Values);
        Assert.Equal<ushort>([0, 0, 1], data.Contexts["device"].Ids);

        // They belong to what the data is; without them it is what it always was.
        var plain = Import(name, text).Dataset;
        Assert.NotEqual(plain.Fingerprint.Sha256, data.Fingerprint.Sha256);
        Assert.Equal(plain.Fingerprint.Sha256, Import("plain.csv", "user_id,item_id\nal,a\nal,b\nal,c\n").Dataset.Fingerprint.Sha256);
    }

    [Fact]
    public void Import_ContextColumnOfParquet_IsItsText()
    {
        var path = Path.Combine(_directory, "context.parquet");
        using (var connection = new DuckDBConnection("DataSource=:memory:"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = $"COPY (SELECT 'al' AS user_id, 'i' || n AS item_id, CASE WHEN n < 2 THEN 7 + n END AS tab FROM range(3) t(n)) TO '{path}' (FORMAT parquet)";
            command.ExecuteNonQuery();
        }

        var column = EventImporter.Import(new EventFile { Path = path, Columns = new() { Contexts = ["tab"] } }, new()).Dataset.Contexts["tab"];
        Assert.Equal(["7", "8"], column.Values);
        Assert.Equal<ushort>([1, 2, 0], column.Ids);
    }

    [Fact]
    public void Import_BadContexts_AreRefusedByName()
    {
        const string Text = "user_id,item_id,tab\nal,a,home\n";
        Refused(["tab", "tab"], "different names");
        Refused([""], "none empty");
        Refused(["device"], "no column \"device\"");
        Refused([new string('x', 65)], "more than 64 bytes");
        Refused([.. Enumerable.Range(0, 17).Select(i => $"c{i}")], "at most 16");
        var long257 = Text + $"al,b,{new string('x', 257)}\n";
        var error = Assert.Throws<ImportException>(() => Import("c.csv", long257, new EventColumns { Contexts = ["tab"] }));
        Assert.Contains("tab is longer than 256 bytes", error.Message, StringComparison.Ordinal);

        void Refused(string[] contexts, string message) =>
            Assert.Contains(message, Assert.Throws<ImportException>(() => Import("c.csv", Text, new EventColumns { Contexts = contexts })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Import_ContextWithTooManyValues_IsTakenForAnId()
    {
        var text = "user_id,item_id,tab\n" + string.Concat(Enumerable.Range(0, ContextColumn.MaxDistinct + 1).Select(n => $"al,a,t{n}\n"));
        var error = Assert.Throws<ImportException>(() => Import("c.csv", text, new EventColumns { Contexts = ["tab"] }));
        Assert.Contains("more than 65535 values of the context column \"tab\"", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Import_HostileNames_AreNamesAndNothingElse()
    {
        const string Evil = "x\"; DROP TABLE events; --";
        var columns = new EventColumns { UserId = Evil, ItemId = "i'; DROP TABLE events; --", Labels = ["l\"') FROM events; --"], Contexts = ["c\"') FROM events; --"] };
        var path = Path.Combine(_directory, "e'; DROP TABLE events; -- [a]*?.parquet");
        using (var connection = new DuckDBConnection("DataSource=:memory:"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText =
                $"COPY (SELECT 'al' AS \"{Evil.Replace("\"", "\"\"", StringComparison.Ordinal)}\", 'hat''; DROP' AS \"{columns.ItemId}\", 1 AS \"{columns.Labels[0].Replace("\"", "\"\"", StringComparison.Ordinal)}\", '''); DROP' AS \"{columns.Contexts[0].Replace("\"", "\"\"", StringComparison.Ordinal)}\")"
                + $" TO '{path.Replace("'", "''", StringComparison.Ordinal)}' (FORMAT parquet)";
            command.ExecuteNonQuery();
        }

        // A neighbour that the name, taken for a pattern, would match as well.
        File.Copy(path, Path.Combine(_directory, "e'; DROP TABLE events; -- aBx.parquet"));
        var (data, report) = EventImporter.Import(new EventFile { Path = path, Columns = columns }, new());
        Assert.Equal(1, report.RowsKept);
        Assert.Equal("hat'; DROP", data.Items.Items[0].Id);
        Assert.Equal([1f], data.Labels[columns.Labels[0]]);
        Assert.Equal(["'); DROP"], data.Contexts[columns.Contexts[0]].Values);

        var csv = Import("e'; DROP TABLE events; --.csv", "\"x\"\"; DROP TABLE events; --\",\"i'; DROP TABLE events; --\",\"l\"\"') FROM events; --\",\"c\"\"') FROM events; --\"\nal,'); DROP TABLE events; --,1,x\n", columns);
        Assert.Equal("'); DROP TABLE events; --", csv.Dataset.Items.Items[0].Id);
    }

    public static TheoryData<string, string, string> Refusals => new()
    {
        { "no.csv", "", "The file is empty" },
        { "only.csv", "user_id,item_id\n", "No event is left of 0 rows" },
        { "less.csv", "user,item_id\nal,a\n", "no column \"user_id\"; it has \"user\", \"item_id\"" },
        { "two.csv", "user_id,item_id,item_id\nal,a,b\n", "two columns \"item_id\"" },
        { "what.dat", "user_id,item_id\nal,a\n", "does not end in .csv" },
        { "zip.csv.gz", "user_id,item_id\nal,a\n", "is damaged, or is not gzip" },
        { "not.parquet", "user_id,item_id\nal,a\n", "could not be read as Parquet" },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public void Import_UnreadableFile_SaysWhatIsWrong(string name, string text, string message)
    {
        var error = Assert.Throws<ImportException>(() => Import(name, text));
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(_directory, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Import_MissingFileOrMappedColumn_SaysSo()
    {
        Assert.Contains("no file \"none.csv\"", Assert.Throws<ImportException>(() => EventImporter.Import(new EventFile { Path = "/nowhere/none.csv" }, new())).Message, StringComparison.Ordinal);
        Assert.Contains("no column \"when\"", Assert.Throws<ImportException>(() => Import("a.csv", Shop, new EventColumns { TimestampMs = "when" })).Message, StringComparison.Ordinal);
        Assert.Contains("no column \"star\"", Assert.Throws<ImportException>(() => Import("a.csv", Shop, new EventColumns { Labels = ["star"] })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Import_PastALimit_NamesIt()
    {
        Refused(new ImportLimits { MaxRows = 3 }, "MaxRows");
        Refused(new ImportLimits { MaxSequences = 1 }, "MaxSequences");
        Refused(new ImportLimits { MaxItems = 2 }, "MaxItems");
        Refused(new ImportLimits { MaxCategories = 1 }, "MaxCategories");
        Refused(new ImportLimits { MemoryBytes = 1 }, "MemoryBytes");

        void Refused(ImportLimits limits, string name) =>
            Assert.Contains(name, Assert.Throws<ImportException>(() => Import("a.csv", Shop, rules: new CleaningRules { Limits = limits })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Import_TooManyBehaviors_IsRefused()
    {
        var text = "user_id,item_id,behavior\n" + string.Concat(Enumerable.Range(0, 256).Select(b => $"al,a,b{b}\n"));
        Assert.Contains("more than 255 behaviours", Assert.Throws<ImportException>(() => Import("many.csv", text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Import_Cancelled_StopsAndLeavesNothingBehind()
    {
        using var cancel = new CancellationTokenSource();
        var text = "user_id,item_id\n" + string.Concat(Enumerable.Range(0, 30_000).Select(i => $"u{i % 100},i{i % 77}\n"));
        var spill = Path.Combine(_directory, "spill");
        var rules = new CleaningRules { Limits = new ImportLimits { SpillDirectory = spill } };
        var rows = new CancelAfter(cancel, 10_000);
        Assert.Throws<OperationCanceledException>(() => EventImporter.Import(new EventFile { Path = Write("long.csv", text) }, rules, rows, cancel.Token));
        Assert.InRange(rows.Last, 10_000, 20_000);
        Assert.Empty(Directory.EnumerateFileSystemEntries(spill));
    }

    private sealed class CancelAfter(CancellationTokenSource cancel, long rows) : IProgress<long>
    {
        public long Last { get; private set; }

        public void Report(long value)
        {
            Last = value;
            if (value >= rows)
                cancel.Cancel();
        }
    }
}
