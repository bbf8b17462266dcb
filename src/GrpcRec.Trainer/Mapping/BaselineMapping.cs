using GrpcRec.Trainer.Worker;
using GrpcRec.Training.CollaborativeFiltering;

namespace GrpcRec.Trainer.Mapping;

static class BaselineMapping
{
    /// <returns>null: a network is asked for.</returns>
    public static ServableBaseline? FromWire(string baseline) => baseline switch
    {
        "" => null,
        "popularity" => ServableBaseline.Popularity,
        "mf" => ServableBaseline.MatrixFactorisation,
        "markov-1" => ServableBaseline.Markov,
        "item-knn" => ServableBaseline.ItemNeighbours,
        "rates" => ServableBaseline.Rates,
        _ => throw new TrainRequestException($"baseline is {baseline}, which this build does not know; use popularity, mf, markov-1, item-knn or rates."),
    };
}
