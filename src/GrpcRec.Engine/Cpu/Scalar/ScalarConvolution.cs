using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Scalar;

/// <summary>
/// Horizontal and vertical filters over the last events (Caser; Tang &amp; Wang, WSDM 2018). State: [L, 2], item + 1 and kind of each
/// of the last L events, oldest first; 0 where there was none.
/// </summary>
internal sealed class ScalarConvolution(ScalarTensors tensors) : ScalarEncoder
{
    private readonly EncoderManifest _encoder = tensors.Manifest.Encoder;
    private readonly int _width = ModelTensors.EventWidth(tensors.Manifest);

    public override int StateLength => _encoder.WindowLength * 2;

    public override void Step(Span<double> state, int item, int kind)
    {
        state[2..].CopyTo(state);
        state[^2] = item + 1;
        state[^1] = kind;
    }

    public override double[] Hidden(ReadOnlySpan<double> state)
    {
        // [L, I] in one piece, so that a filter's window is a slice.
        var window = new double[_encoder.WindowLength * _width];
        for (var place = 0; place < _encoder.WindowLength; place++)
        {
            if (state[place * 2] > 0)
                Event(tensors, (int)state[place * 2] - 1, (int)state[(place * 2) + 1]).CopyTo(window.AsSpan(place * _width));
        }

        var features = new List<double>();
        foreach (var height in _encoder.FilterHeights)
            features.AddRange(Horizontal(window, height));
        if (_encoder.VerticalFilters > 0)
            features.AddRange(Vertical(window));
        return Array.ConvertAll(tensors.Affine([.. features], ModelTensors.ConvolutionOutputWeight, ModelTensors.ConvolutionOutputBias), Math.Tanh);
    }

    /// <summary>[F] the largest of relu(W·window + b) over all places.</summary>
    private double[] Horizontal(double[] window, int height)
    {
        var largest = new double[_encoder.HorizontalFilters]; // What a relu gives is never below 0.
        for (var place = 0; place <= _encoder.WindowLength - height; place++)
        {
            var here = tensors.Relu(window.AsSpan(place * _width, height * _width), ModelTensors.HorizontalWeight(height), ModelTensors.HorizontalBias(height));
            for (var filter = 0; filter < here.Length; filter++)
                largest[filter] = Math.Max(largest[filter], here[filter]);
        }

        return largest;
    }

    /// <summary>[Fv, I] weighted sums of the window's rows.</summary>
    private double[] Vertical(double[] window)
    {
        var sums = new double[_encoder.VerticalFilters * _width];
        var weights = tensors.Weights(ModelTensors.VerticalWeight);
        for (var filter = 0; filter < _encoder.VerticalFilters; filter++)
        {
            for (var place = 0; place < _encoder.WindowLength; place++)
            {
                for (var k = 0; k < _width; k++)
                    sums[(filter * _width) + k] += weights[(filter * _encoder.WindowLength) + place] * window[(place * _width) + k];
            }
        }

        return sums;
    }
}
