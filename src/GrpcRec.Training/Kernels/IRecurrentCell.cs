namespace GrpcRec.Training.Kernels;

/// <summary>
/// A recurrent layer's pointwise part, forward and backward, on one block: 64 sums, which are 64 / <see cref="Sums"/> units' first sums, then
/// their second … A cell keeps one number a unit from step to step, c: an LSTM its cell, the others their hidden state.
/// </summary>
internal unsafe interface IRecurrentCell
{
    /// <summary>Sums of a unit: 4 or 1.</summary>
    static abstract int Sums { get; }

    /// <summary>The gate of the input weights, H rows each, that a sum takes; negative: none.</summary>
    static abstract int InputGate(int sum);

    /// <summary>The same of the recurrent weights.</summary>
    static abstract int RecurrentGate(int sum);

    /// <param name="sums">[64] overwritten with what the way back needs.</param>
    /// <param name="before">[units] c.</param>
    /// <param name="after">[units] c', written.</param>
    /// <param name="hidden">[units] h', written.</param>
    static abstract void Forward(float* sums, float* before, float* after, float* hidden);

    /// <param name="sums">[64] as <see cref="Forward"/> left them.</param>
    /// <param name="before">[units] c before the step.</param>
    /// <param name="after">[units] c' after it.</param>
    /// <param name="hiddenGradient">[units] dL/dh', all of it.</param>
    /// <param name="cellGradient">[units] dL/dc' that comes from later steps past the product; overwritten with dL/dc.</param>
    /// <param name="sumGradient">[64] dL/d(sums), written.</param>
    static abstract void Backward(float* sums, float* before, float* after, float* hiddenGradient, float* cellGradient, float* sumGradient);
}
