using System.Text.Json.Nodes;
using GrpcRec.Engine.Models;
using GrpcRec.Trainer.Reports;
using GrpcRec.Trainer.Tuning;
using GrpcRec.Training.Learning;
using GrpcRec.Training.MultiTask;
using GrpcRec.V1;
using TaskKind = GrpcRec.Engine.Models.TaskKind;

namespace GrpcRec.Trainer.Tests;

public sealed class ReportSettingsTests
{
    /// <summary>By setting of the contract: what it needs beside it to be read, and another value than that or its default.</summary>
    private static readonly Dictionary<string, (string With, string Other)> Changes = new()
    {
        ["encoder"] = ("{}", "\"rnn\""),
        ["embedding_size"] = ("{}", "32"),
        ["hidden_size"] = ("{}", "32"),
        ["layers"] = ("{}", "2"),
        ["dropout"] = ("{}", "0.35"),
        ["tied_item_embedding"] = ("{}", "false"),
        ["bottom_size"] = ("{}", "48"),
        ["tower_size"] = ("{}", "0"),
        ["max_sequence_length"] = ("{}", "50"),
        ["gru_reset"] = ("""{"encoder": "gru"}""", "\"before_product\""),
        ["window_length"] = ("""{"encoder": "cnn"}""", "6"),
        ["filter_heights"] = ("""{"encoder": "cnn"}""", "[2, 3]"),
        ["horizontal_filters"] = ("""{"encoder": "cnn"}""", "8"),
        ["vertical_filters"] = ("""{"encoder": "cnn"}""", "2"),
        ["trunk"] = ("{}", "\"mmoe\""),
        ["shared_experts"] = ("""{"trunk": "mmoe"}""", "3"),
        ["task_experts"] = ("""{"trunk": "cgc"}""", "3"),
        ["trunk_levels"] = ("""{"trunk": "ple"}""", "1"),
        ["event_features"] = ("{}", """[{"name": "gap", "source": "time_gap", "buckets": 9}]"""),
        ["request_features"] = ("{}", """[{"name": "tab", "embedding_size": 5}]"""),
        ["item_terms"] = ("{}", "true"),
        ["item_term_rate"] = ("""{"item_terms": true}""", "0.5"),
        ["item_memory"] = ("{}", "true"),
        ["repeat_terms"] = ("{}", "true"),
        ["epochs"] = ("{}", "7"),
        ["batch_size"] = ("{}", "16"),
        ["learning_rate"] = ("{}", "0.01"),
        ["gradient_clip_norm"] = ("{}", "2"),
        ["patience"] = ("{}", "3"),
        ["max_duration"] = ("{}", "\"90s\""),
        ["seed"] = ("{}", "5"),
        ["weighting"] = ("{}", "\"famo\""),
        ["float32_products"] = ("{}", "true"),
        ["distillation"] = ("{}", "0.5"),
        ["min_context"] = ("{}", "20"),
        ["optimizer"] = ("{}", "\"adamw\""),
        ["momentum"] = ("""{"optimizer": "sgd"}""", "0.5"),
        ["weight_decay"] = ("{}", "0.001"),
        ["lazy_embeddings"] = ("{}", "true"),
        ["schedule"] = ("{}", "\"cosine\""),
        ["warm_up"] = ("{}", "0.1"),
        ["next_item_loss"] = ("{}", "\"sampled_softmax\""),
        ["negatives"] = ("""{"next_item_loss": "sampled_softmax"}""", "500"),
        ["sampling_power"] = ("""{"next_item_loss": "bpr_max"}""", "0.5"),
        ["score_penalty"] = ("""{"next_item_loss": "bpr_max"}""", "2"),
    };

    private static readonly TrainingPlan Plan = new()
    {
        ModelName = "m", ModelVersion = "v1",
        Tasks = [new() { Name = "next", Kind = TaskKind.NextItem }, new() { Name = "like", Kind = TaskKind.Binary, Label = new LabelSource.ValueAtLeast(1) }],
    };

    /// <summary>A setting that the contract has and a report does not tell would be a result that nobody can repeat.</summary>
    [Fact]
    public void Of_EverySettingOfTheContract_IsTold()
    {
        foreach (var field in new[] { Architecture.Descriptor, Hyperparameters.Descriptor }.SelectMany(message => message.Fields.InDeclarationOrder()))
        {
            Assert.True(Changes.TryGetValue(field.Name, out var change), $"{field.Name} is a setting of the contract: say it in ReportSettings, and here how it is changed");
            var basis = PlanSettings.Apply(Plan, JsonNode.Parse(change.With)!.AsObject());
            var other = PlanSettings.Apply(basis, new JsonObject { [field.Name] = JsonNode.Parse(change.Other) });
            Assert.True(Text(basis) != Text(other), $"{field.Name} changes nothing that is told");
        }
    }

    [Fact]
    public void Of_OneNextItemTask_LeavesOutWhatNothingReads()
    {
        var names = ReportSettings.Of(Plan with { Tasks = [Plan.Tasks[0]] }, Manifest).Select(setting => setting.Key).ToArray();
        Assert.DoesNotContain("trunk", names);
        Assert.DoesNotContain("towers", names);
        Assert.DoesNotContain("weighting of the tasks", names);
        Assert.Contains("next item learnt by", names);
        Assert.DoesNotContain("next item learnt by", ReportSettings.Of(Plan with { Tasks = [Plan.Tasks[1]] }, Manifest).Select(setting => setting.Key));
    }

    private static readonly ModelManifest Manifest = new SelfTaught(outlier: false).Artifact.Manifest;

    private static string Text(TrainingPlan plan) => string.Join('\n', ReportSettings.Of(plan, Manifest).Select(setting => $"{setting.Key}: {setting.Value}"));
}
