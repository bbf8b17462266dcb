namespace GrpcRec.Engine.Cpu;

/// <summary>
/// Where the rows of a recurrent layer's weights (gate after gate, H each) stand among the columns of a packed product, and by which
/// factor they are scaled for the activation, which works on powers of two.
/// </summary>
/// <param name="Hidden">H.</param>
/// <param name="Gates">Rows are Gates·H.</param>
/// <param name="Width">Columns with padding, a multiple of 64.</param>
/// <param name="Column">Of a row.</param>
/// <param name="Scale">Of a gate.</param>
internal sealed record GateLayout(int Hidden, int Gates, int Width, Func<int, int> Column, Func<int, float> Scale)
{
    /// <summary>Block n holds units 16n…16n+15 as 16 columns of i, then f, g, o.</summary>
    public static GateLayout Lstm(int hidden) => new(
        hidden, 4, 4 * PackedMatrix.PaddedUnits(hidden), row => Interleaved(row % hidden, row / hidden, 4), GateActivation.Scale);

    /// <summary>
    /// 16 columns of r, then z, for every 16 units; n from <see cref="CandidateColumn"/> on, since its recurrent product is one of its own.
    /// </summary>
    public static GateLayout Gru(int hidden) => new(
        hidden, 3, CandidateColumn(hidden) + PackedMatrix.PaddedWidth(hidden),
        row => row < 2 * hidden ? Interleaved(row % hidden, row / hidden, 2) : CandidateColumn(hidden) + row - (2 * hidden), GruActivation.Scale);

    /// <summary>The first part of <see cref="Gru"/> alone: r and z.</summary>
    public static GateLayout GruGates(int hidden) => new(
        hidden, 2, CandidateColumn(hidden), row => Interleaved(row % hidden, row / hidden, 2), GruActivation.Scale);

    /// <summary>
    /// z, then n from column <see cref="PackedMatrix.PaddedUnits"/> on. z comes in with its sign turned: what is kept of the old state is then the
    /// sigmoid of it, as a GRU has it.
    /// </summary>
    public static GateLayout MinGru(int hidden) => new(
        hidden, 2, PackedMatrix.PaddedWidth(2 * PackedMatrix.PaddedUnits(hidden)),
        row => row < hidden ? row : PackedMatrix.PaddedUnits(hidden) + row - hidden, gate => gate == 0 ? -GruActivation.Scale(1) : GruActivation.Scale(2));

    /// <summary>One sum a unit, for <see cref="TanhActivation"/>.</summary>
    public static GateLayout Single(int hidden) => new(hidden, 1, PackedMatrix.PaddedWidth(hidden), row => row, _ => TanhActivation.Scale);

    /// <summary>First column of a GRU's n.</summary>
    public static int CandidateColumn(int hidden) => PackedMatrix.PaddedWidth(2 * PackedMatrix.PaddedUnits(hidden));

    private static int Interleaved(int unit, int gate, int gates) =>
        (unit / PackedMatrix.UnitsPerBlock * PackedMatrix.UnitsPerBlock * gates) + (gate * PackedMatrix.UnitsPerBlock) + (unit % PackedMatrix.UnitsPerBlock);
}
