using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>A bag's dense layers, packed; the last one scaled for <see cref="TanhActivation"/>.</summary>
internal sealed unsafe class BagWeights : EncoderWeights
{
    private readonly AlignedBuffer[] _biases;

    public BagWeights(ModelArtifact artifact, BlockKernel kernel)
    {
        var encoder = artifact.Manifest.Encoder;
        Kernel = kernel;
        Events = new EventEmbedding(artifact);
        Hidden = encoder.HiddenSize;
        Dense = new PackedMatrix[encoder.Layers];
        _biases = new AlignedBuffer[encoder.Layers];
        for (var layer = 0; layer < encoder.Layers; layer++)
        {
            var weights = artifact.WeightArray(ModelTensors.BagWeight(layer));
            var isLast = layer == encoder.Layers - 1;
            Dense[layer] = isLast ? PackedMatrix.FromGates(GateLayout.Single(Hidden), weights) : PackedMatrix.FromRows(Hidden, weights);
            _biases[layer] = new AlignedBuffer(Dense[layer].Width);
            var bias = artifact.WeightArray(ModelTensors.BagBias(layer));
            for (var unit = 0; unit < Hidden; unit++)
                _biases[layer].Pointer[unit] = bias[unit] * (isLast ? TanhActivation.Scale : 1);
        }
    }

    public BlockKernel Kernel { get; }

    public EventEmbedding Events { get; }

    public int Hidden { get; }

    /// <summary>By layer.</summary>
    public PackedMatrix[] Dense { get; }

    public override int StateFloats => BagEncoder.StateFloats(this);

    public override bool HasItemTable => false;

    public override long TableBytes => 0;

    /// <summary>[Dense.Width].</summary>
    public float* Bias(int layer) => _biases[layer].Pointer;

    public override CpuEncoder CreateEncoder() => new BagEncoder(this);

    public override void Dispose()
    {
        foreach (var weights in Dense)
            weights.Dispose();
        foreach (var bias in _biases)
            bias.Dispose();
    }
}
