using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;
using GrpcRec.Server.Tests.Hosting;
using GrpcRec.Serving.Registry;
using GrpcRec.Serving.Tests;
using GrpcRec.V1;
using static GrpcRec.Server.Tests.Recommendations.Reference;

namespace GrpcRec.Server.Tests.Recommendations;

/// <summary>A model of each kind through a real server: named on the wire, scored as the scalar engine says.</summary>
public sealed class FamilyTests
{
    public static TheoryData<string, EncoderKind, TrunkKind> Kinds => new()
    {
        { "lstm", EncoderKind.Lstm, TrunkKind.Mmoe },
        { "gru", EncoderKind.Gru, TrunkKind.Ple },
        { "rnn", EncoderKind.Rnn, TrunkKind.Cgc },
        { "bag", EncoderKind.Bag, TrunkKind.SharedBottom },
        { "cnn", EncoderKind.Cnn, TrunkKind.Mmoe },
        { "mingru", EncoderKind.MinGru, TrunkKind.Mmoe },
        { "gru", EncoderKind.Gru, TrunkKind.Stem },
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Score_ModelOfEachKind_IsWhatTheEngineSays(string name, EncoderKind kind, TrunkKind trunk)
    {
        var manifest = Manifest(kind, trunk);
        var weights = ArtifactFixture.Weights(manifest, seed: 5);
        await using var server = await TestServer.StartAsync(prepare: directory =>
        {
            var models = Path.Combine(directory, "models", manifest.Name);
            System.IO.Directory.CreateDirectory(models);
            ModelArtifact.Write(Path.Combine(models, manifest.Version), manifest, ArtifactFixture.Items(), weights);
            new ActivePointer(manifest.Version, null).Write(models);
        });

        var described = await new ModelService.ModelServiceClient(server.Channel).GetModelAsync(new GetModelRequest());
        Assert.Equal(name, described.Model.Encoder);

        var reply = await new RecommendationService.RecommendationServiceClient(server.Channel).ScoreAsync(new ScoreRequest
        {
            User = User(Event(3, "view", 1_000), Event(7, "purchase", 2_000), Event(11, "cart", 3_000)),
            CandidateItemIds = { "item-5" },
        });
        using var engine = StepEngineFactory.Create(
            ModelArtifact.Create(manifest, ArtifactFixture.Items(), weights), new EngineOptions { Kind = EngineKind.Scalar, SlotCapacity = 1 });
        Assert.True(engine.TryRent(out var slot));
        engine.Advance([new EventRun(slot, 0, 3)], [3, 7, 11], [0, 2, 1]);
        var logits = new float[engine.CandidateWidth];
        engine.ScoreCandidates(slot, [5], logits);
        Assert.Equal(Sigmoid(logits[0]), reply.Candidates[0].Predictions[0].Probability, 1e-5);
        Assert.Equal(logits[1], reply.Candidates[0].Predictions[1].Logit, 1e-5);
        Assert.Equal(100 + (20 * logits[^2]), reply.Candidates[0].Predictions[^2].Expectation, 1e-3);
        var chained = reply.Candidates[0].Predictions[^1].Probability;
        Assert.Equal(Sigmoid(logits[^1]), chained, 1e-5);
        Assert.InRange(chained, 0, reply.Candidates[0].Predictions[0].Probability);
        Assert.Equal(manifest.Tasks[0].Name, described.Model.Tasks[^1].Given);

        // A regression is a number for an item, so it can be ranked by: what it says of each decides.
        var ranked = await new RecommendationService.RecommendationServiceClient(server.Channel).RankAsync(new RankRequest
        {
            User = User(Event(3, "view", 1_000), Event(7, "purchase", 2_000), Event(11, "cart", 3_000)), K = 2,
            CandidateItemIds = { "item-5", "item-6" }, Objective = { new Objective { Task = "price", Weight = 1 } },
        });
        engine.ScoreCandidates(slot, [6], logits.AsSpan());
        Assert.Equal(reply.Candidates[0].Predictions[^2].Expectation >= 100 + (20 * logits[^2]) ? "item-5" : "item-6", ranked.Items[0].ItemId);
    }

    private static ModelManifest Manifest(EncoderKind kind, TrunkKind trunk)
    {
        var manifest = ArtifactFixture.Manifest("shop", "v1");
        var mixes = trunk != TrunkKind.SharedBottom;
        return manifest with
        {
            Tasks =
            [
                .. manifest.Tasks,
                new TaskManifest { Name = "price", Kind = Engine.Models.TaskKind.Regression, NeedsCandidate = true, Offset = 100, Scale = 20 },
                new TaskManifest { Name = "return", Kind = Engine.Models.TaskKind.Binary, NeedsCandidate = true, Given = manifest.Tasks[0].Name },
            ],
            Encoder = manifest.Encoder with
            {
                Kind = kind,
                Layers = kind == EncoderKind.Cnn ? 1 : 2,
                GateOrder = EncoderManifest.GateOrderOf(kind),
                ResetPlacement = kind == EncoderKind.Gru ? ResetPlacement.AfterProduct : ResetPlacement.None,
                WindowLength = kind == EncoderKind.Cnn ? 4 : 0,
                FilterHeights = kind == EncoderKind.Cnn ? [2, 3] : [],
                HorizontalFilters = kind == EncoderKind.Cnn ? 3 : 0,
                VerticalFilters = kind == EncoderKind.Cnn ? 1 : 0,
                Trunk = new TrunkManifest
                {
                    Kind = trunk,
                    SharedExperts = mixes ? 2 : 0,
                    TaskExperts = trunk is TrunkKind.Cgc or TrunkKind.Ple or TrunkKind.Stem ? 1 : 0,
                    Levels = trunk == TrunkKind.Ple ? 2 : 1,
                },
            },
        };
    }
}
