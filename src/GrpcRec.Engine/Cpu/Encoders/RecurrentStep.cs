namespace GrpcRec.Engine.Cpu.Encoders;

/// <summary>One step of one recurrent layer for some rows. Pointers live as long as the call.</summary>
internal unsafe struct RecurrentStep
{
    /// <summary>1…<see cref="CpuEncoder.MaxRuns"/>.</summary>
    public int Rows;

    /// <summary>[Rows, Units] old hidden states, <see cref="Stride"/> floats between rows. Not what <see cref="Hidden"/> points at.</summary>
    public float* X;

    public nint Stride;

    /// <summary>[Rows] pointers to where the sums start: a row of gates.</summary>
    public float** First;

    /// <summary>[Rows] pointers to what is added to that; null: nothing is.</summary>
    public float** Second;

    /// <summary>[NextRows] pointers to where the first rows' sums start at the next step, to be fetched into the cache meanwhile.</summary>
    public float** Next;

    /// <summary>At most <see cref="Rows"/>; 0: nothing is to be fetched.</summary>
    public int NextRows;

    /// <summary>[Rows] pointers to the layer's states in their slots: [Parts, Units], h first. An LSTM's cell is overwritten in place.</summary>
    public float** State;

    /// <summary>[Rows] pointers to new hidden states, written: [Units].</summary>
    public float** Hidden;

    /// <summary>Every other step, so that it may begin with the weights that are still in the cache.</summary>
    public bool Backward;

    /// <summary><see cref="X"/> comes from the slots; false: it is what the step before wrote, the first rows of it.</summary>
    public bool Begins;
}
