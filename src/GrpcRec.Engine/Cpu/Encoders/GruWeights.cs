using GrpcRec.Engine.Models;

namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>
/// A GRU's weights, packed and scaled for <see cref="GruActivation"/>. The recurrent product of r and z is one matrix and that of n
/// another: with the reset before the product it reads another input, and with the reset after it its sums are kept apart.
/// </summary>
internal sealed unsafe class GruWeights : RecurrentWeights
{
    private readonly AlignedBuffer[] _candidateStarts;

    public GruWeights(ModelArtifact artifact, BlockKernel kernel, Precision precision, Int8Path path, long tableBudgetBytes)
        : base(artifact, kernel, GateLayout.Gru(artifact.Manifest.Encoder.HiddenSize), parts: 1, tableBudgetBytes, precision, path)
    {
        ResetsAfterProduct = artifact.Manifest.Encoder.ResetPlacement == ResetPlacement.AfterProduct;
        Gates = new RecurrentProduct[Layers];
        Candidate = new RecurrentProduct[Layers];
        _candidateStarts = new AlignedBuffer[ResetsAfterProduct ? Layers : 0];
        for (var layer = 0; layer < Layers; layer++)
        {
            var recurrent = artifact.WeightArray(ModelTensors.RecurrentWeight(layer, EncoderKind.Gru));
            var split = 2 * Hidden * Hidden;
            Gates[layer] = RecurrentProduct.Create(precision, kernel, path, GateLayout.GruGates(Hidden), recurrent[..split]);
            Candidate[layer] = RecurrentProduct.Create(precision, kernel, path, GateLayout.Single(Hidden), recurrent[split..]);
            if (!ResetsAfterProduct)
                continue;
            _candidateStarts[layer] = new AlignedBuffer(Candidate[layer].Width);
            var bias = artifact.WeightArray(ModelTensors.ResetBias(layer));
            for (var unit = 0; unit < Hidden; unit++)
                _candidateStarts[layer].Pointer[unit] = bias[unit] * TanhActivation.Scale;
        }
    }

    public bool ResetsAfterProduct { get; }

    /// <summary>By layer: r and z of the old state.</summary>
    public RecurrentProduct[] Gates { get; }

    /// <summary>By layer: n of the old state, or of what the reset gate leaves of it.</summary>
    public RecurrentProduct[] Candidate { get; }

    /// <summary>First column of n in a row of gates.</summary>
    public int CandidateColumn => GateLayout.CandidateColumn(Hidden);

    /// <summary>[Candidate.Width] where the sums of n start that the reset gate applies to.</summary>
    public float* CandidateStart(int layer) => _candidateStarts[layer].Pointer;

    public override CpuEncoder CreateEncoder() => new GruEncoder(this);

    public override void Dispose()
    {
        base.Dispose();
        foreach (var weights in Gates.Concat(Candidate))
            weights.Dispose();
        foreach (var starts in _candidateStarts)
            starts.Dispose();
    }
}
