using System.Globalization;

namespace GrpcRec.Training.Worlds;

/// <summary>
/// The items of a world: cluster by cluster, shade by shade. Within a shade items are drawn by a Zipf popularity; each item has a partner
/// in its cluster's complement (the other of a pair: camera and lens, laptop and keyboard). A shade is a ring of small groups; a user whose
/// route is r goes on from a group to the one r + 1 further round. So what follows an item depends on who the user is, which only the
/// sequence tells: the last item alone is not enough.
/// </summary>
internal sealed class WorldCatalog
{
    private static readonly double[] GroupShares = [0.4, 0.3, 0.2, 0.1];
    private const double ZipfExponent = 1.3;

    private readonly WorldRecipe _recipe;
    private readonly int[] _partners;
    private readonly double[] _popularity;

    public WorldCatalog(WorldRecipe recipe, Random random)
    {
        _recipe = recipe;
        var perShade = recipe.ItemsPerShade;
        Count = recipe.Clusters.Count * recipe.Shades * perShade;
        Ids = new string[Count];
        Qualities = new double[Count];
        _popularity = new double[Count];
        _partners = new int[Count];

        var total = Enumerable.Range(1, perShade).Sum(place => Math.Pow(place, -ZipfExponent));
        for (var first = 0; first < Count; first += perShade)
        {
            var places = Enumerable.Range(1, perShade).ToArray();
            random.Shuffle(places);
            for (var k = 0; k < perShade; k++)
            {
                var item = first + k;
                Ids[item] = string.Create(CultureInfo.InvariantCulture, $"{recipe.Clusters[ClusterOf(item)]}-{(item % ItemsPerCluster) + 1:D3}");
                Qualities[item] = (2 * random.NextDouble()) - 1;
                _popularity[item] = Math.Pow(places[k], -ZipfExponent) / total;
                _partners[item] = FirstOf(Complement(ClusterOf(item)), ShadeOf(item)) + random.Next(perShade);
            }
        }
    }

    public int Count { get; }

    /// <summary>[Count] For example "camera-017".</summary>
    public string[] Ids { get; }

    /// <summary>[Count] -1 to 1.</summary>
    public double[] Qualities { get; }

    private int ItemsPerCluster => _recipe.Shades * _recipe.ItemsPerShade;

    public int ClusterOf(int item) => item / ItemsPerCluster;

    public int ShadeOf(int item) => item / _recipe.ItemsPerShade % _recipe.Shades;

    /// <summary>Where interest goes on to from a cluster: the other of its pair.</summary>
    public static int Complement(int cluster) => cluster ^ 1;

    /// <summary>Adds weight·P(item | cluster, shade, route, last item) for every item of the cluster.</summary>
    /// <param name="last">-1: none.</param>
    /// <param name="probabilities">[Count]</param>
    public void AddItems(int cluster, int shade, int route, int last, double weight, Span<double> probabilities)
    {
        var rest = weight;
        if (last >= 0 && ClusterOf(last) == cluster)
        {
            var place = last % _recipe.ItemsPerShade;
            var group = ((place / GroupShares.Length) + route + 1) % (_recipe.ItemsPerShade / GroupShares.Length);
            var next = last - place + (group * GroupShares.Length);
            for (var i = 0; i < GroupShares.Length; i++)
                probabilities[next + i] += weight * _recipe.Chain * GroupShares[i];
            rest -= weight * _recipe.Chain;
        }
        else if (last >= 0 && Complement(ClusterOf(last)) == cluster)
        {
            probabilities[_partners[last]] += weight * _recipe.Partner;
            rest -= weight * _recipe.Partner;
        }

        for (var g = 0; g < _recipe.Shades; g++)
        {
            var share = g == shade ? _recipe.OwnShade : (1 - _recipe.OwnShade) / (_recipe.Shades - 1);
            var first = FirstOf(cluster, g);
            for (var item = first; item < first + _recipe.ItemsPerShade; item++)
                probabilities[item] += rest * share * _popularity[item];
        }
    }

    private int FirstOf(int cluster, int shade) => (cluster * ItemsPerCluster) + (shade * _recipe.ItemsPerShade);
}
