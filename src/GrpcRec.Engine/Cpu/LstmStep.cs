namespace GrpcRec.Engine.Cpu;

/// <summary>One step of one LSTM layer for some rows. Pointers live as long as the call.</summary>
internal unsafe struct LstmStep
{
    /// <summary>≥ 1.</summary>
    public int Rows;

    /// <summary>Recurrent weights.</summary>
    public PackedMatrix Weights;

    /// <summary>[Rows, H] old hidden states, <see cref="Stride"/> floats between rows. Not what <see cref="Hidden"/> points at.</summary>
    public float* X;

    public nint Stride;

    /// <summary>[Rows] pointers to where the gates' sums start: [4·Units].</summary>
    public float** First;

    /// <summary>[Rows] pointers to what is added to that; null: nothing is.</summary>
    public float** Second;

    /// <summary>[NextRows] pointers to where sums will start at the next step, to be fetched meanwhile; 0 where there is nothing to fetch.</summary>
    public float** Next;

    public int NextRows;

    /// <summary>[Rows] pointers to cells, overwritten: [Units].</summary>
    public float** Cell;

    /// <summary>[Rows] pointers to new hidden states, written: [Units].</summary>
    public float** Hidden;

    /// <summary>[6, 64] scratch, aligned.</summary>
    public float* Sums;

    /// <summary>Blocks from the last to the first: every other step, so that it begins with the weights that are still in the cache.</summary>
    public bool Backward;
}
