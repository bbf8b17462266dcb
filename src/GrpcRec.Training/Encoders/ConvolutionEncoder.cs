using GrpcRec.Engine.Models;
using TorchSharp;
using static TorchSharp.torch;
using F = TorchSharp.torch.nn.functional;

namespace GrpcRec.Training.Encoders;

/// <summary>Horizontal and vertical filters over the last events at every place, zeros before the first.</summary>
internal sealed class ConvolutionEncoder(ModelParameters parameters, double dropout) : SequenceEncoder(parameters, dropout)
{
    protected override Tensor Encode(Tensor x, PackedSequences packing, bool training)
    {
        int window = Encoder.WindowLength;
        x = packing.Pad(x);
        var (steps, batch, width) = (x.shape[0], x.shape[1], x.shape[2]);
        var padded = cat([zeros(window - 1, batch, width), x], 0);
        var features = Encoder.FilterHeights.Select(height => Horizontal(padded, height, steps + window - height)).ToList();
        if (Encoder.VerticalFilters > 0)
        {
            // A view of each event's window; [T, B, I, Fv] to filters first, as the output layer reads them.
            var columns = padded.unfold(0, window, 1).matmul(Parameters[ModelTensors.VerticalWeight].t());
            features.Add(columns.transpose(2, 3).reshape(steps, batch, -1));
        }

        return F.linear(Drop(packing.Pack(cat(features, 2)), training), Parameters[ModelTensors.ConvolutionOutputWeight], Parameters[ModelTensors.ConvolutionOutputBias]).tanh();
    }

    /// <summary>
    /// A filter of height k is k products, one for each of its events: conv1d is slower here, and warns of NNPACK on machines that it does not
    /// know.
    /// </summary>
    /// <param name="padded">[T + L - 1, B, I]</param>
    /// <param name="places">T + L - k, at which the filter stands in all windows together.</param>
    /// <returns>[T, B, F] the largest over each window's places.</returns>
    private Tensor Horizontal(Tensor padded, int height, long places)
    {
        Tensor weights = Parameters[ModelTensors.HorizontalWeight(height)];
        var sum = F.linear(padded.narrow(0, 0, places), weights.select(1, 0), Parameters[ModelTensors.HorizontalBias(height)]);
        for (var row = 1; row < height; row++)
            sum = sum + F.linear(padded.narrow(0, row, places), weights.select(1, row));
        return F.max_pool1d(sum.relu().permute(1, 2, 0), Encoder.WindowLength - height + 1, stride: 1).permute(2, 0, 1);
    }
}
