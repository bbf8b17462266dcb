using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace GrpcRec.Trainer.Reports;

/// <summary>Writes a report beside its model: <c>report.html</c>, which needs no other file, <c>report.json</c>, and the pictures as PNG.</summary>
static class TrainingReportWriter
{
    public const string DirectoryName = "report";
    private const int Width = 760, Height = 400;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        // A cosine of tasks that never met has no value.
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <param name="directory">Made when missing; files of the same names are written over.</param>
    /// <returns>Path of the page.</returns>
    /// <exception cref="IOException">The disk is full, or the directory cannot be written.</exception>
    public static string Write(TrainingReport report, string directory)
    {
        Directory.CreateDirectory(directory);
        var pictures = new List<ReportPicture>();
        foreach (var (name, caption, plot) in ReportPlots.Of(report))
        {
            using (plot)
            {
                File.WriteAllBytes(Path.Combine(directory, name + ".png"), plot.GetImageBytes(Width, Height, ScottPlot.ImageFormat.Png));
                pictures.Add(new ReportPicture(name, caption, Svg(plot)));
            }
        }

        File.WriteAllText(Path.Combine(directory, "report.json"), JsonSerializer.Serialize(report, Json));
        var page = Path.Combine(directory, "report.html");
        File.WriteAllText(page, ReportPage.Render(report, pictures));
        return page;
    }

    /// <summary>Without the XML declaration, which has no place inside a page, and with a view box, so that it scales.</summary>
    private static string Svg(ScottPlot.Plot plot)
    {
        var xml = plot.GetSvgXml(Width, Height);
        var (open, picture) = (xml.IndexOf("<svg", StringComparison.Ordinal), xml.IndexOf('>', xml.IndexOf("<svg", StringComparison.Ordinal)));
        return string.Create(CultureInfo.InvariantCulture, $"{xml[open..picture]} viewBox=\"0 0 {Width} {Height}\"{xml[picture..]}");
    }
}

/// <param name="Svg">To stand in the page as it is.</param>
sealed record ReportPicture(string Name, string Caption, string Svg);
