using System.Runtime.InteropServices;

namespace GrpcRec.Engine.Cuda;

/// <summary>Element of a product, as the kernels' names say it.</summary>
internal enum Element
{
    F16,
    Bf16,
    F32,
}

internal static class ElementPacking
{
    private const float LargestHalf = 65504;

    public static int Bytes(this Element element) => element == Element.F32 ? 4 : 2;

    public static string Suffix(this Element element) => element switch
    {
        Element.F16 => "f16",
        Element.Bf16 => "bf16",
        _ => "f32",
    };

    /// <summary>Input projections are f16 beside 16-bit products: they are sums of two roundings at most.</summary>
    public static Element GateRows(this Element element) => element == Element.F32 ? Element.F32 : Element.F16;

    /// <summary>Rounded to the nearest, ties to even; f16 holds at its largest.</summary>
    /// <param name="at">The value of element i.</param>
    /// <returns>[count] elements, little-endian.</returns>
    public static byte[] Pack(this Element element, int count, Func<int, float> at)
    {
        var bytes = new byte[checked(count * element.Bytes())];
        switch (element)
        {
            case Element.F16:
                var halves = MemoryMarshal.Cast<byte, Half>(bytes.AsSpan());
                for (var i = 0; i < count; i++)
                    halves[i] = (Half)Math.Clamp(at(i), -LargestHalf, LargestHalf);
                break;
            case Element.Bf16:
                var words = MemoryMarshal.Cast<byte, ushort>(bytes.AsSpan());
                for (var i = 0; i < count; i++)
                {
                    var bits = BitConverter.SingleToUInt32Bits(at(i));
                    words[i] = (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
                }

                break;
            default:
                var floats = MemoryMarshal.Cast<byte, float>(bytes.AsSpan());
                for (var i = 0; i < count; i++)
                    floats[i] = at(i);
                break;
        }

        return bytes;
    }
}
