using GrpcRec.Engine.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace GrpcRec.Benchmarks.Encoding;

/// <summary>The same weights in TorchSharp: an embedding and nn.LSTM without gradients; on a CUDA device that is cuDNN's.</summary>
public sealed class TorchEncoder : ISequenceEncoder
{
    private readonly Embedding _embedding;
    private readonly LSTM _lstm;
    private readonly int _threads;
    private readonly Device _device;

    /// <param name="half">f16 weights and states, on a device.</param>
    public TorchEncoder(ModelArtifact model, int threads, DeviceType device = DeviceType.CPU, bool half = false)
    {
        ArgumentNullException.ThrowIfNull(model);
        _threads = threads;
        _device = new Device(device);
        Name = device == DeviceType.CPU ? "TorchSharp" : $"TorchSharp, cuDNN{(half ? " f16" : "")}";
        var (encoder, items) = (model.Manifest.Encoder, model.Manifest.CatalogSize);
        using (no_grad())
        {
            _embedding = nn.Embedding(items, encoder.EmbeddingSize);
            Copy(_embedding.weight!, model.Weights(ModelTensors.ItemEmbedding));
            _lstm = nn.LSTM(encoder.EmbeddingSize, encoder.HiddenSize, encoder.Layers, batchFirst: true);
            foreach (var (name, parameter) in _lstm.named_parameters())
            {
                var layer = int.Parse(name[(name.LastIndexOf('l') + 1)..], System.Globalization.CultureInfo.InvariantCulture);
                if (name.StartsWith("weight_ih", StringComparison.Ordinal))
                    Copy(parameter, model.Weights(ModelTensors.InputWeight(layer)));
                else if (name.StartsWith("weight_hh", StringComparison.Ordinal))
                    Copy(parameter, model.Weights(ModelTensors.RecurrentWeight(layer)));
                else if (name.StartsWith("bias_ih", StringComparison.Ordinal))
                    Copy(parameter, model.Weights(ModelTensors.Bias(layer)));
                else
                    parameter.zero_();
            }
        }

        if (device != DeviceType.CPU)
        {
            _embedding.to(_device);
            _lstm.to(_device);
        }

        if (half)
        {
            _embedding.to(ScalarType.Float16);
            _lstm.to(ScalarType.Float16);
        }

        _embedding.eval();
        _lstm.eval();
    }

    public string Name { get; }

    public void Prepare() => set_num_threads(_threads);

    public void Encode(EventBatch batch, Span<float> hidden)
    {
        ArgumentNullException.ThrowIfNull(batch);
        using var mode = inference_mode();
        using var scope = NewDisposeScope();
        var ids = tensor(batch.LongItems, [batch.Size, batch.Length]).to(_device);
        var (_, last, _) = _lstm.forward(_embedding.forward(ids));
        last[-1].to(ScalarType.Float32).cpu().contiguous().data<float>().CopyTo(hidden);
    }

    public void Dispose()
    {
        _embedding.Dispose();
        _lstm.Dispose();
    }

    private static void Copy(Tensor parameter, ReadOnlySpan<float> weights)
    {
        using var values = tensor(weights.ToArray(), parameter.shape);
        parameter.copy_(values);
    }
}
