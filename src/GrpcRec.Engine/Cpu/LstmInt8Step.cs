namespace GrpcRec.Engine.Cpu;

/// <summary>One step of one LSTM layer in int8 for some rows. Pointers live as long as the call.</summary>
internal unsafe struct LstmInt8Step
{
    /// <summary>≥ 1.</summary>
    public int Rows;

    /// <summary>Recurrent weights, their scales times those of the activation and of the hidden state.</summary>
    public Int8Matrix Weights;

    public Int8Path Path;

    /// <summary>[Rows, ≥ 4·Groups] old hidden states as bytes, <see cref="CodeStride"/> between rows. Not what <see cref="NextCodes"/> points at.</summary>
    public byte* Codes;

    /// <summary>[Rows, Units] new hidden states as bytes, written; the same stride.</summary>
    public byte* NextCodes;

    public nint CodeStride;

    /// <summary>[Rows] pointers to where the gates' sums start: [4·Units].</summary>
    public float** First;

    /// <summary>[Rows] pointers to what is added to that; null: nothing is.</summary>
    public float** Second;

    /// <summary>[NextRows] pointers to where the first rows' sums start at the next step, fetched into the cache meanwhile.</summary>
    public float** Next;

    /// <summary>At most <see cref="Rows"/>; 0: nothing is fetched.</summary>
    public int NextRows;

    /// <summary>[Rows] pointers to cells, overwritten: [Units].</summary>
    public float** Cell;

    /// <summary>[Rows] pointers to new hidden states, written: [Units].</summary>
    public float** Hidden;

    /// <summary>[6, 64] scratch, aligned.</summary>
    public int* Sums;

    /// <summary>Blocks from the last to the first: every other step, so that it begins with the weights that are still in the cache.</summary>
    public bool Backward;
}
