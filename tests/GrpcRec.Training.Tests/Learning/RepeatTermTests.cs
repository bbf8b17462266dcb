using GrpcRec.Engine.Models;
using GrpcRec.Training.Datasets;
using GrpcRec.Training.Evaluation;
using GrpcRec.Training.Learning;
using GrpcRec.Training.Losses;

namespace GrpcRec.Training.Tests.Learning;

[Collection(TorchTests.Name)]
public class RepeatTermTests
{
    [Fact]
    public void LogRatios_WhatIsNeverRepeated_IsFarBelowWhatOftenIs()
    {
        // Never within twelve events; always after two.
        var never = RepeatRates.LogRatios(TinyData.Cycle(items: 40, sequences: 200), 12);
        var data = TinyData.Cycle(items: 40, sequences: 200);
        for (var e = 0; e < data.EventCount; e++)
            data.ItemIds[e] = (e / 14 * 7 + (e % 2)) % 40;
        var often = RepeatRates.LogRatios(data, 12);

        Assert.Equal(4, never.Length);
        Assert.All(never[..3], term => Assert.InRange(term, -8, -3));
        // The event before last, which is 1 event ago: 2 to 3 events before the target.
        Assert.InRange(often[1], 2, 8);
        Assert.InRange(often[0], -8, -3);
    }

    [Fact]
    public void Train_WorldOfRepeats_LearnsThemBetterWithTermsAndSaysTheSameInServing()
    {
        // The next item is at random one of the last four: which one, no state need know.
        var data = TinyData.Cycle(items: 60, sequences: 120, length: 30, behaviors: 1);
        var random = new Random(3);
        for (var e = 0; e < data.EventCount; e++)
            data.ItemIds[e] = e % 30 < 4 ? random.Next(60) : data.ItemIds[e - random.Next(1, 5)];

        double Hits(bool terms) =>
            TinyData.TestHits(data, network => network with { RepeatTerms = terms }, epochs: 2, ModelTensors.RepeatTerm, has: terms);

        var (plain, withTerms) = (Hits(terms: false), Hits(terms: true));
        Assert.True(withTerms > 0.8, $"hr@5 with terms {withTerms}");
        Assert.True(withTerms > plain + 0.1, $"hr@5 {withTerms} with terms, {plain} without");
    }

    [Fact]
    public void Check_SampledLoss_IsRefused()
    {
        var plan = TinyData.Plan(TinyData.NextItem);
        plan = plan with
        {
            Architecture = plan.Architecture with { RepeatTerms = true },
            Optimization = plan.Optimization with { NextItem = new NextItemPlan { Loss = NextItemLossKind.SampledSoftmax } },
        };
        Assert.Equal("architecture.repeat_terms", Assert.Throws<TrainingException>(plan.Check).Field);
    }
}
