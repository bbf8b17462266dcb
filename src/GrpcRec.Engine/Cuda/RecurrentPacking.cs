namespace GrpcRec.Engine.Cuda;

/// <summary>
/// A recurrent layer's matrices in the orders that the kernels read (native/include/grpcrec/abi.h). All are of [gates · H, K] row-major;
/// what lies past H or K is zero, so that a padded unit's state stays zero.
/// </summary>
/// <param name="hidden">H.</param>
/// <param name="padded">Hp.</param>
internal sealed class RecurrentPacking(int gates, int hidden, int padded)
{
    /// <summary>Tiles of 32 units: [Hp/32][gates][32][Kp].</summary>
    /// <param name="firstGate">Of those that are packed.</param>
    public byte[] Tiles(Element element, float[] weights, int inner, int innerPadded, int firstGate, int gateCount) =>
        element.Pack(padded * gateCount * innerPadded, i =>
        {
            var k = i % innerPadded;
            var row = i / innerPadded;
            var unit = (row / (32 * gateCount) * 32) + (row % 32);
            var gate = firstGate + (row / 32 % gateCount);
            return unit < hidden && k < inner ? weights[(((gate * hidden) + unit) * inner) + k] : 0;
        });

    /// <summary>Fragments of the tensor instruction: [Hp/16 warps][gates][Hp/16 steps][32 lanes][8].</summary>
    public byte[] Fragments(Element element, float[] weights) =>
        element.Pack(padded * gates * padded, i =>
        {
            var e = i % 8;
            var lane = i / 8 % 32;
            var step = i / 256 % (padded / 16);
            var gate = i / (256 * (padded / 16)) % gates;
            var warp = i / (256 * (padded / 16) * gates);
            var unit = (16 * warp) + (lane / 4) + (8 * (e / 2 & 1));
            var k = (16 * step) + (2 * (lane % 4)) + (e & 1) + (8 * (e / 4));
            return unit < hidden && k < hidden ? weights[(((gate * hidden) + unit) * hidden) + k] : 0;
        });

    /// <summary>Rows [unit][4] of the columns [first, first + count), for tables of input projections; the fourth row of a GRU's unit is zero.</summary>
    public float[] ProjectionRows(float[] weights, int inner, int first, int count)
    {
        var rows = new float[4 * padded * count];
        for (var unit = 0; unit < hidden; unit++)
        {
            for (var gate = 0; gate < gates; gate++)
                weights.AsSpan((((gate * hidden) + unit) * inner) + first, count).CopyTo(rows.AsSpan(((unit * 4) + gate) * count));
        }

        return rows;
    }

    /// <summary>[Hp][4].</summary>
    public float[] GateBias(float[] bias)
    {
        var packed = new float[4 * padded];
        for (var unit = 0; unit < hidden; unit++)
        {
            for (var gate = 0; gate < gates; gate++)
                packed[(unit * 4) + gate] = bias[(gate * hidden) + unit];
        }

        return packed;
    }

    /// <summary>[Hp].</summary>
    public float[] Units(float[] values)
    {
        var packed = new float[padded];
        values.CopyTo(packed, 0);
        return packed;
    }
}
