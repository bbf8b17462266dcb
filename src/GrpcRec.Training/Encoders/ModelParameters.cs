using GrpcRec.Engine.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace GrpcRec.Training.Encoders;

/// <summary>
/// The trained tensors of one model by the names and shapes of <see cref="ModelTensors"/>, so that what is trained is what is written:
/// no second list to keep in step.
/// </summary>
internal sealed class ModelParameters : IDisposable
{
    /// <summary>Standard deviation of a fresh embedding: an inner product of two at E = 64 is then far below the item bias.</summary>
    private const double EmbeddingDeviation = 0.05;

    private const int LongestSpan = 64;

    private readonly SortedDictionary<string, Parameter> _byName = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Embedding> _embeddings = new(StringComparer.Ordinal);
    private readonly string[] _order;

    /// <summary>Fresh weights from torch's global generator: seed it first.</summary>
    public ModelParameters(ModelManifest manifest)
    {
        Manifest = manifest;
        var expected = ModelTensors.Expected(manifest);
        string[] tables =
        [
            .. ModelTensors.EventColumns(manifest).Select(column => column.Tensor),
            .. manifest.RequestFeatures.Select(feature => ModelTensors.RequestFeature(feature.Name)),
            .. ModelTensors.TaskItemEmbeddings(manifest),
        ];
        foreach (var name in tables)
        {
            var shape = expected[name];
            var table = nn.Embedding(shape[0], shape[1]);
            _embeddings[name] = table;
            _byName[name] = table.weight!;
            Initialize(name, table.weight!);
        }

        _order = [.. expected.Keys.Order(StringComparer.Ordinal)];
        foreach (var name in _order)
        {
            if (!_byName.ContainsKey(name))
            {
                _byName[name] = new Parameter(empty(Array.ConvertAll(expected[name], size => (long)size)));
                Initialize(name, _byName[name]);
            }
        }
    }

    public ModelManifest Manifest { get; }

    public Parameter this[string name] => _byName[name];

    /// <summary>In a fixed order.</summary>
    public IEnumerable<Parameter> Trained => _order.Select(name => _byName[name]);

    /// <summary>The same with their names.</summary>
    public IEnumerable<(string Name, Parameter Parameter)> Named => _order.Select(name => (name, _byName[name]));

    public bool Has(string name) => _byName.ContainsKey(name);

    /// <param name="name">Of an input embedding.</param>
    /// <param name="ids">[…] int64</param>
    /// <returns>[…, width]</returns>
    public Tensor Embed(string name, Tensor ids) => _embeddings[name].call(ids);

    /// <summary>Copies of all tensors, by name.</summary>
    public IReadOnlyDictionary<string, WeightTensor> Export()
    {
        var tensors = new Dictionary<string, WeightTensor>(StringComparer.Ordinal);
        foreach (var name in _order)
        {
            using var plain = _byName[name].detach().contiguous();
            tensors[name] = new WeightTensor([.. plain.shape.Select(size => checked((int)size))], plain.data<float>().ToArray());
        }

        return tensors;
    }

    /// <summary>Overwrites all tensors.</summary>
    /// <exception cref="InvalidOperationException">A tensor is missing or has another size.</exception>
    public void Import(ModelArtifact artifact)
    {
        using var scope = NewDisposeScope();
        using var frozen = no_grad();
        foreach (var name in _order)
        {
            var target = _byName[name];
            if (!artifact.HasTensor(name) || artifact.Weights(name).Length != target.numel())
                throw new InvalidOperationException($"The weights to load have no tensor {name} of shape [{string.Join(", ", target.shape)}].");
            target.copy_(tensor(artifact.Weights(name).ToArray(), target.shape));
        }
    }

    public void Dispose()
    {
        foreach (var parameter in _byName.Values)
            parameter.Dispose();
        foreach (var table in _embeddings.Values)
            table.Dispose();
    }

    /// <summary>
    /// Zero; of a minimal GRU's z, minus the log of a random span from 1 to <see cref="LongestSpan"/> events, so that units begin with memories of
    /// all lengths (Tallec &amp; Ollivier 2018): with zeros every unit forgets half at each event.
    /// </summary>
    private void InitializeBias(string name, Parameter values)
    {
        values.zero_();
        if (Manifest.Encoder.Kind != EncoderKind.MinGru || !name.StartsWith("mingru.", StringComparison.Ordinal))
            return;
        using var scope = NewDisposeScope();
        values.narrow(0, 0, Manifest.Encoder.HiddenSize).uniform_(1, Math.Clamp(Manifest.MaxSequenceLength, 2, LongestSpan)).log_().neg_();
    }

    /// <summary>Embeddings normal; a memory's gain one; a recurrent layer's weights uniform ±1/√H, others ±1/√inputs, as torch's own modules have them; biases zero.</summary>
    private void Initialize(string name, Parameter values)
    {
        using var frozen = no_grad();
        if (Manifest.Encoder.Kind is EncoderKind.Lstm or EncoderKind.Gru or EncoderKind.Rnn
            && name.StartsWith(ModelTensors.Prefix(Manifest.Encoder.Kind) + ".", StringComparison.Ordinal))
        {
            var bound = 1 / Math.Sqrt(Manifest.Encoder.HiddenSize);
            values.uniform_(-bound, bound);
            return;
        }

        if (name == ModelTensors.MemoryGain)
            values.fill_(1);
        else if (name == ModelTensors.NextItemEmbedding || _embeddings.ContainsKey(name))
            values.normal_(0, EmbeddingDeviation);
        else if (values.dim() == 1)
            InitializeBias(name, values);
        else
        {
            var bound = 1 / Math.Sqrt(values.numel() / values.shape[0]);
            values.uniform_(-bound, bound);
        }
    }
}
