using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Scalar;

/// <summary>Mean of all events, then dense layers. State: the events' sum [I] and their number.</summary>
internal sealed class ScalarBag(ScalarTensors tensors) : ScalarEncoder
{
    private readonly EncoderManifest _encoder = tensors.Manifest.Encoder;
    private readonly int _width = ModelTensors.EventWidth(tensors.Manifest);

    public override int StateLength => _width + 1;

    public override void Step(Span<double> state, int item, int kind)
    {
        var x = Event(tensors, item, kind);
        for (var k = 0; k < _width; k++)
            state[k] += x[k];
        state[_width]++;
    }

    public override double[] Hidden(ReadOnlySpan<double> state)
    {
        var x = new double[_width];
        for (var k = 0; k < _width; k++)
            x[k] = state[k] / Math.Max(1, state[_width]);
        for (var layer = 0; layer < _encoder.Layers - 1; layer++)
            x = tensors.Relu(x, ModelTensors.BagWeight(layer), ModelTensors.BagBias(layer));
        return Array.ConvertAll(tensors.Affine(x, ModelTensors.BagWeight(_encoder.Layers - 1), ModelTensors.BagBias(_encoder.Layers - 1)), Math.Tanh);
    }
}
