using GrpcRec.Engine.Cuda.Driver;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Steps;

namespace GrpcRec.Engine.Cuda;

internal enum CudaCell
{
    Lstm,

    /// <summary>Reset after the product.</summary>
    GruAfter,

    /// <summary>Reset before the product.</summary>
    GruBefore,
}

/// <summary>A model as the kernels see it, or the reason why they cannot run it.</summary>
internal sealed record CudaShape
{
    /// <summary>GR_MAX_HIDDEN and the bound of E in native/include/grpcrec/abi.h.</summary>
    private const int MaxHidden = 1024, MaxEmbedding = 1024;

    private const int FirstPersistent = 75, FirstBf16 = 80;

    public required CudaCell Cell { get; init; }

    public required Element Element { get; init; }

    public required int Hidden { get; init; }

    /// <summary>Hp.</summary>
    public required int HiddenPadded { get; init; }

    /// <summary>Ep.</summary>
    public required int EmbeddingPadded { get; init; }

    public required int Layers { get; init; }

    /// <summary>A whole chunk in one launch; else a launch for each step.</summary>
    public required bool IsPersistent { get; init; }

    public int Gates => Cell == CudaCell.Lstm ? 4 : 3;

    /// <summary>"lstm", "gru", "gru_before", as in the kernels' names.</summary>
    public string CellName => Cell switch
    {
        CudaCell.Lstm => "lstm",
        CudaCell.GruAfter => "gru",
        _ => "gru_before",
    };

    public int StateFloats => Layers * HiddenPadded * (Cell == CudaCell.Lstm ? 2 : 1);

    /// <summary>Null: the engine runs it. Else what it does not run, for a person.</summary>
    public static string? WhyNot(ModelManifest manifest, EngineOptions options)
    {
        var encoder = manifest.Encoder;
        if (encoder.Kind is not (EncoderKind.Lstm or EncoderKind.Gru))
            return $"encoder kind {Word(encoder.Kind)}";
        if (encoder.HiddenSize > MaxHidden)
            return $"hidden size {encoder.HiddenSize}, past {MaxHidden}";
        if (encoder.EmbeddingSize > MaxEmbedding)
            return $"embedding size {encoder.EmbeddingSize}, past {MaxEmbedding}";
        if (encoder.Trunk.Kind != TrunkKind.SharedBottom && manifest.Tasks.Any(task => task.NeedsCandidate && task.Kind != TaskKind.NextItem))
            return $"trunk {Word(encoder.Trunk.Kind)}";
        if (manifest.EventFeatures.Count > 0)
            return "event features";
        if (manifest.RequestFeatures.Count > 0)
            return "request features";
        if (manifest.Tasks.Any(task => task.ItemBias))
            return "item terms of tasks";
        if (manifest.Tasks.Any(task => task.ItemMemory))
            return "an item memory of next_item";
        return options.Precision == Precision.Int8 ? "precision int8" : null;
    }

    /// <exception cref="EngineException">The engine does not run such a model; the message names why.</exception>
    public static CudaShape Of(ModelManifest manifest, EngineOptions options, CudaContext context)
    {
        if (WhyNot(manifest, options) is { } reason)
            throw new EngineException($"the CUDA engine does not run {reason}: it runs lstm and gru encoders, shared_bottom trunks and all tasks, in 16-bit or float32 products; choose --engine cpu for this model");
        var encoder = manifest.Encoder;
        var element = ElementOf(manifest, options, context);
        var padded = DenseLayer.Pad(encoder.HiddenSize);
        return new CudaShape
        {
            Cell = encoder.Kind == EncoderKind.Lstm ? CudaCell.Lstm : encoder.ResetPlacement == ResetPlacement.BeforeProduct ? CudaCell.GruBefore : CudaCell.GruAfter,
            Element = element,
            Hidden = encoder.HiddenSize,
            HiddenPadded = padded,
            EmbeddingPadded = DenseLayer.Pad(encoder.EmbeddingSize),
            Layers = encoder.Layers,
            IsPersistent = element != Element.F32 && padded is 64 or 128 && context.Capability >= FirstPersistent,
        };
    }

    public CudaFunction GateRowsFunction(CudaModule module) => DenseLayer.Function(module, Element == Element.F32 ? "gr_dense_f32" : "gr_dense_f16");

    private static Element ElementOf(ModelManifest manifest, EngineOptions options, CudaContext context)
    {
        var asked = options.Cuda.Product;
        if (asked == CudaProduct.Auto)
        {
            asked = (options.Precision ?? manifest.Precision?.Precision) switch
            {
                Precision.Bf16 when context.Capability >= FirstBf16 => CudaProduct.Bfloat16,
                Precision.Float32 when options.Precision is not null => CudaProduct.Float32,
                _ => CudaProduct.Float16,
            };
        }

        if (asked == CudaProduct.Bfloat16 && context.Capability < FirstBf16)
            throw new EngineException($"{context.Name} (compute capability {context.Capability / 10}.{context.Capability % 10}) has no bf16 products, which begin at 8.0: choose float16 or float32");
        return asked switch
        {
            CudaProduct.Float16 => Element.F16,
            CudaProduct.Bfloat16 => Element.Bf16,
            _ => Element.F32,
        };
    }

    private static string Word<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();
}
