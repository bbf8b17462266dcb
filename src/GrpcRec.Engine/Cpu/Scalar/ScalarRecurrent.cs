using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Scalar;

/// <summary>LSTM, GRU, Elman RNN and minimal GRU. State: [layers, 2, H], the hidden state and the LSTM's cell of each layer.</summary>
internal sealed class ScalarRecurrent(ScalarTensors tensors) : ScalarEncoder
{
    private readonly EncoderManifest _encoder = tensors.Manifest.Encoder;
    private readonly int _h = tensors.Manifest.Encoder.HiddenSize;

    public override int StateLength => _encoder.Layers * 2 * _h;

    public override void Step(Span<double> state, int item, int kind)
    {
        var x = Event(tensors, item, kind);
        for (var layer = 0; layer < _encoder.Layers; layer++)
        {
            var h = state.Slice(layer * 2 * _h, _h);
            // One part of the sums from below, one from the layer's own state: a GRU keeps them apart.
            var input = tensors.Affine(x, ModelTensors.InputWeight(layer, _encoder.Kind), ModelTensors.Bias(layer, _encoder.Kind));
            if (_encoder.Kind == EncoderKind.MinGru)
            {
                MinGru(input, h);
                x = h.ToArray();
                continue;
            }

            var recurrent = tensors.Affine(h, ModelTensors.RecurrentWeight(layer, _encoder.Kind), null);
            switch (_encoder.Kind)
            {
                case EncoderKind.Lstm: Lstm(input, recurrent, h, state.Slice(((layer * 2) + 1) * _h, _h)); break;
                case EncoderKind.Gru: Gru(layer, input, recurrent, h); break;
                default: Rnn(input, recurrent, h); break;
            }

            x = h.ToArray();
        }
    }

    public override double[] Hidden(ReadOnlySpan<double> state) => state.Slice((_encoder.Layers - 1) * 2 * _h, _h).ToArray();

    /// <summary>Hochreiter &amp; Schmidhuber 1997, as in PyTorch: c' = σ(f)∘c + σ(i)∘tanh(g), h' = σ(o)∘tanh(c').</summary>
    private void Lstm(double[] input, double[] recurrent, Span<double> h, Span<double> c)
    {
        for (var unit = 0; unit < _h; unit++)
        {
            double Gate(int gate) => input[(gate * _h) + unit] + recurrent[(gate * _h) + unit];
            c[unit] = (Sigmoid(Gate(1)) * c[unit]) + (Sigmoid(Gate(0)) * Math.Tanh(Gate(2)));
            h[unit] = Sigmoid(Gate(3)) * Math.Tanh(c[unit]);
        }
    }

    /// <summary>h' = (1 - z)∘n + z∘h, with the reset gate inside or outside the candidate's product: <see cref="ResetPlacement"/>.</summary>
    private void Gru(int layer, double[] input, double[] recurrent, Span<double> h)
    {
        var candidate = new double[_h];
        if (_encoder.ResetPlacement == ResetPlacement.AfterProduct)
        {
            var bias = tensors.Weights(ModelTensors.ResetBias(layer));
            for (var unit = 0; unit < _h; unit++)
                candidate[unit] = Sigmoid(input[unit] + recurrent[unit]) * (recurrent[(2 * _h) + unit] + bias[unit]);
        }
        else
        {
            var reset = new double[_h];
            for (var unit = 0; unit < _h; unit++)
                reset[unit] = Sigmoid(input[unit] + recurrent[unit]) * h[unit];
            var weights = tensors.Weights(ModelTensors.RecurrentWeight(layer, EncoderKind.Gru));
            for (var unit = 0; unit < _h; unit++)
                candidate[unit] = ScalarTensors.Dot(weights.Slice(((2 * _h) + unit) * _h, _h), reset);
        }

        for (var unit = 0; unit < _h; unit++)
        {
            var z = Sigmoid(input[_h + unit] + recurrent[_h + unit]);
            var n = Math.Tanh(input[(2 * _h) + unit] + candidate[unit]);
            h[unit] = ((1 - z) * n) + (z * h[unit]);
        }
    }

    /// <summary>Elman 1990: h' = tanh(W·x + U·h + b).</summary>
    private void Rnn(double[] input, double[] recurrent, Span<double> h)
    {
        for (var unit = 0; unit < _h; unit++)
            h[unit] = Math.Tanh(input[unit] + recurrent[unit]);
    }

    /// <summary>Feng et al. 2024: h' = (1 - z)∘h + z∘n, of the input alone; n = tanh.</summary>
    private void MinGru(double[] input, Span<double> h)
    {
        for (var unit = 0; unit < _h; unit++)
        {
            var z = Sigmoid(input[unit]);
            h[unit] = ((1 - z) * h[unit]) + (z * Math.Tanh(input[_h + unit]));
        }
    }

    private static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
}
