namespace GrpcRec.Serving.Batching;

/// <summary>First in, first out, of a fixed size.</summary>
internal sealed class RequestRing(int capacity)
{
    private readonly BatchRequest?[] _items = new BatchRequest?[capacity];
    private int _head;

    public int Count { get; private set; }

    public bool IsFull => Count == _items.Length;

    public void Add(BatchRequest request)
    {
        if (IsFull)
            throw new InvalidOperationException("the ring is full");
        _items[Wrap(_head + Count++)] = request;
    }

    public BatchRequest Peek() => _items[_head] ?? throw new InvalidOperationException("the ring is empty");

    public BatchRequest Take()
    {
        var request = Peek();
        _items[_head] = null;
        _head = Wrap(_head + 1);
        Count--;
        return request;
    }

    private int Wrap(int index) => index >= _items.Length ? index - _items.Length : index;
}
