using System.Globalization;

namespace GrpcRec.Training.Evaluation;

/// <summary>coverage@k: share of the catalogue that stands among the first k of some recommendation (Ge et al., 2010).</summary>
internal sealed class CatalogCoverage
{
    private readonly IReadOnlyList<int> _cutoffs;

    // [V] best place of each item so far, from 1; 0: never recommended.
    private readonly int[] _places;

    public CatalogCoverage(IReadOnlyList<int> cutoffs, int catalogSize)
    {
        _cutoffs = cutoffs;
        _places = new int[catalogSize];
    }

    /// <param name="place">From 1.</param>
    public void Add(int item, int place)
    {
        if (_places[item] == 0 || place < _places[item])
            _places[item] = place;
    }

    public void AddTo(IDictionary<string, double> metrics)
    {
        foreach (var cutoff in _cutoffs)
            metrics["coverage@" + cutoff.ToString(CultureInfo.InvariantCulture)] = (double)_places.Count(place => place > 0 && place <= cutoff) / _places.Length;
    }
}
