namespace GrpcRec.Engine.Cpu;

/// <summary>An array of pointers outside the garbage collector, for kernels that gather.</summary>
internal sealed unsafe class PointerBuffer(int length) : IDisposable
{
    private readonly AlignedBuffer _memory = new((long)length * sizeof(float*) / sizeof(float));

    /// <summary>[length]; dies with the buffer.</summary>
    public float** Pointer => (float**)_memory.Pointer;

    public float* this[int index]
    {
        get => Pointer[index];
        set => Pointer[index] = value;
    }

    public void Dispose() => _memory.Dispose();
}
