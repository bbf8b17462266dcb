using System.Runtime.InteropServices;
using Google.Protobuf;
using GrpcRec.Engine.Models;

namespace GrpcRec.Export.Onnx;

/// <summary>
/// A graph under construction. Values are known by name; every method that adds a node gives the name of its result. Weights keep the
/// names that they have in the artefact, so that a viewer shows where each is used.
/// </summary>
internal sealed class OnnxGraph(ModelArtifact model, OnnxOptions options)
{
    /// <summary>Of which every operator used here is: ONNX 1.12, July 2022.</summary>
    public const int OperatorSet = 17;
    public const int IrVersion = 8;

    private readonly HashSet<string> _weights = new(StringComparer.Ordinal);
    private readonly List<(TensorProto Tensor, ReadOnlyMemory<byte> Data)> _tensors = [];
    private int _values;

    public ModelArtifact Model => model;

    public ModelManifest Manifest => model.Manifest;

    public GraphProto Proto { get; } = new();

    /// <summary>Nodes of ONNX Runtime's own operators are used.</summary>
    public bool UsesMicrosoftOperators { get; private set; }

    /// <summary>Of all weights so far.</summary>
    public long WeightBytes { get; private set; }

    public void Input(string name, TensorProto.Types.DataType type, string meaning, params ReadOnlySpan<object> axes) => Proto.Input.Add(Value(name, type, meaning, axes));

    public void Output(string name, string meaning, params ReadOnlySpan<object> axes) => Output(name, TensorProto.Types.DataType.Float, meaning, axes);

    public void Output(string name, TensorProto.Types.DataType type, string meaning, params ReadOnlySpan<object> axes) => Proto.Output.Add(Value(name, type, meaning, axes));

    /// <summary>A tensor of the artefact, under its own name; added once however often it is asked for.</summary>
    public string Weight(string tensor)
    {
        if (_weights.Add(tensor))
        {
            AddFloats(tensor, model.WeightArray(tensor), model.Shape(tensor));
        }

        return tensor;
    }

    /// <summary>W' of a tensor [N, K], for products on the right of something with more than two axes.</summary>
    public string Transposed(string tensor)
    {
        var name = tensor + ".transposed";
        if (!_weights.Add(name))
            return name;
        var shape = model.Shape(tensor);
        var source = model.Weights(tensor);
        var data = new float[source.Length];
        for (var row = 0; row < shape[0]; row++)
        {
            for (var column = 0; column < shape[1]; column++)
                data[(column * shape[0]) + row] = source[(row * shape[1]) + column];
        }

        return Floats(name, data, shape[1], shape[0]);
    }

    public string Floats(string name, float[] data, params ReadOnlySpan<int> shape) => AddFloats(name, data, shape);

    public string Bytes(string name, sbyte[] data, params ReadOnlySpan<int> shape) =>
        AddTensor(name, TensorProto.Types.DataType.Int8, MemoryMarshal.AsBytes(data.AsSpan()).ToArray(), shape);

    /// <summary>[values] int64: axes, shapes.</summary>
    public string Integers(params long[] values)
    {
        var name = "int64." + string.Join(',', values);
        if (_weights.Add(name))
            AddTensor(name, TensorProto.Types.DataType.Int64, MemoryMarshal.AsBytes(values.AsSpan()).ToArray(), [values.Length]);
        return name;
    }

    /// <summary>Index of the items' category as a feature: 0 where an item has none.</summary>
    /// <param name="items">Dense ids of any shape.</param>
    public string Categories(string items)
    {
        const string name = "item_category";
        if (_weights.Add(name))
        {
            long[] indices = [.. model.Items.Items.Select(item => item.Category + 1L)];
            AddTensor(name, TensorProto.Types.DataType.Int64, MemoryMarshal.AsBytes(indices.AsSpan()).ToArray(), [indices.Length]);
        }

        return Node("Gather", [name, items], null, Attribute("axis", 0));
    }

    /// <summary>A single int64, with no axis.</summary>
    public string Integer(long value)
    {
        var name = $"int64.scalar.{value}";
        if (_weights.Add(name))
            AddTensor(name, TensorProto.Types.DataType.Int64, BitConverter.GetBytes(value), []);
        return name;
    }

    /// <summary>A node with one output.</summary>
    /// <param name="result">Name of its value; null for one of no meaning.</param>
    public string Node(string operation, ReadOnlySpan<string> inputs, string? result = null, params ReadOnlySpan<AttributeProto> attributes)
    {
        result ??= $"{operation}.{_values++}";
        AddNode(operation, inputs, [result], attributes);
        return result;
    }

    public void AddNode(string operation, ReadOnlySpan<string> inputs, ReadOnlySpan<string> outputs, ReadOnlySpan<AttributeProto> attributes, string domain = "")
    {
        var node = new NodeProto { OpType = operation, Name = "node." + outputs[^1], Domain = domain };
        node.Input.AddRange(inputs);
        node.Output.AddRange(outputs);
        node.Attribute.AddRange(attributes);
        Proto.Node.Add(node);
        UsesMicrosoftOperators |= domain.Length > 0;
    }

    public static AttributeProto Attribute(string name, long value) => new() { Name = name, I = value, Type = AttributeProto.Types.AttributeType.Int };

    public static AttributeProto Attribute(string name, string value) => new() { Name = name, S = ByteString.CopyFromUtf8(value), Type = AttributeProto.Types.AttributeType.String };

    public static AttributeProto Attribute(string name, params ReadOnlySpan<long> values)
    {
        var attribute = new AttributeProto { Name = name, Type = AttributeProto.Types.AttributeType.Ints };
        attribute.Ints.AddRange(values);
        return attribute;
    }

    /// <summary>0, 1 … one less than a scalar.</summary>
    public string Places(string count) => Node("Range", [Integer(0), count, Integer(1)]);

    /// <summary>x·Wᵀ + b of x [B, K].</summary>
    public string Affine(string x, string weight, string bias, string? result = null) =>
        Node("Gemm", [x, Weight(weight), Weight(bias)], result, Attribute("transB", 1));

    /// <summary>x·Wᵀ of x [.., K] with any number of axes.</summary>
    public string Product(string x, string weight) => Node("MatMul", [x, Transposed(weight)]);

    public string Sum(string a, string b, string? result = null) => Node("Add", [a, b], result);

    public string Relu(string x) => Node("Relu", [x]);

    public string Unsqueeze(string x, params long[] axes) => Node("Unsqueeze", [x, Integers(axes)]);

    public string Squeeze(string x, long axis, string? result = null) => Node("Squeeze", [x, Integers(axis)], result);

    /// <summary>Rows of a table [N, W] by ids of any shape.</summary>
    public string Rows(string table, string ids) => Node("Gather", [Weight(table), ids], null, Attribute("axis", 0));

    public string Concat(long axis, ReadOnlySpan<string> parts) => parts.Length == 1 ? parts[0] : Node("Concat", parts, null, Attribute("axis", axis));

    public string ToFloat(string x) => Node("Cast", [x], null, Attribute("to", (long)TensorProto.Types.DataType.Float));

    public string ToInt64(string x) => Node("Cast", [x], null, Attribute("to", (long)TensorProto.Types.DataType.Int64));

    /// <summary>The graph with its weights. They are wrapped, not copied: the artefact must outlive the result.</summary>
    public GraphProto Finish()
    {
        foreach (var (tensor, data) in _tensors)
        {
            tensor.RawData = UnsafeByteOperations.UnsafeWrap(data);
            Proto.Initializer.Add(tensor);
        }

        return Proto;
    }

    /// <exception cref="ExportException">The weights are more than one message can hold.</exception>
    private string AddFloats(string name, float[] data, ReadOnlySpan<int> shape)
    {
        WeightBytes += sizeof(float) * (long)data.Length;
        if (WeightBytes > options.MaxWeightBytes)
            throw new ExportException($"the model's weights are more than {options.MaxWeightBytes} bytes, and an ONNX file is one protobuf message of at most 2 GiB: export it as safetensors, or train it with a smaller catalogue or embedding_size");
        using var owner = new FloatBytes(data);
        return AddTensor(name, TensorProto.Types.DataType.Float, owner.Memory, shape);
    }

    private string AddTensor(string name, TensorProto.Types.DataType type, ReadOnlyMemory<byte> data, ReadOnlySpan<int> shape)
    {
        var tensor = new TensorProto { Name = name, DataType = (int)type };
        foreach (var size in shape)
            tensor.Dims.Add(size);
        _tensors.Add((tensor, data));
        return name;
    }

    /// <param name="axes">A size, or the name of an axis whose size is known when the model is run.</param>
    private static ValueInfoProto Value(string name, TensorProto.Types.DataType type, string meaning, ReadOnlySpan<object> axes)
    {
        var shape = new TensorShapeProto();
        foreach (var axis in axes)
            shape.Dim.Add(axis is string text ? new TensorShapeProto.Types.Dimension { DimParam = text } : new TensorShapeProto.Types.Dimension { DimValue = (int)axis });
        return new ValueInfoProto { Name = name, DocString = meaning, Type = new TypeProto { TensorType = new TypeProto.Types.Tensor { ElemType = (int)type, Shape = shape } } };
    }
}
