using System.Numerics.Tensors;
using TorchSharp;
using static GrpcRec.Training.Kernels.TensorMemory;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace GrpcRec.Training.Encoders;

/// <summary>
/// h(t) = a(t)∘h(t-1) + b(t) from a zero state, with its own gradient: all that is sequential in an encoder that is linear in its state. Each
/// thread takes some of the sequences through all of their time, one pass over memory each way; a scan in log T steps would read it log T times, and
/// on a CPU there are units and sequences enough to be parallel in.
/// With d(t) = dL/dh(t) + a(t+1)∘d(t+1): dL/db(t) = d(t), dL/da(t) = d(t)∘h(t-1).
/// </summary>
internal sealed unsafe class LinearScan : autograd.SingleTensorFunction<LinearScan>
{
    public override string Name => nameof(LinearScan);

    /// <param name="factors">[N, H] a.</param>
    /// <param name="terms">[N, H] b.</param>
    /// <returns>[N, H] h.</returns>
    public static Tensor Run(Tensor factors, Tensor terms, PackedSequences packing) => apply(factors, terms, packing.ToTensor());

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var a = ((Tensor)vars[0]).detach().contiguous();
        var b = ((Tensor)vars[1]).detach().contiguous();
        var lengths = (Tensor)vars[2];
        var packing = PackedSequences.FromTensor(lengths);
        var states = empty_like(b);
        var width = (int)a.shape[1];
        var (factors, terms, h) = ((nint)Floats(a), (nint)Floats(b), (nint)Floats(states));
        packing.ForEachPart(get_num_threads(), (first, end) =>
        {
            for (var t = 0; t < packing.Steps && packing.Active(t) > first; t++)
            {
                var count = (Math.Min(end, packing.Active(t)) - first) * width;
                Span<float> At(nint tensor, int time) => new((float*)tensor + ((nint)packing.Row(time, first) * width), count);
                if (t == 0)
                    At(terms, 0).CopyTo(At(h, 0));
                else
                    TensorPrimitives.MultiplyAdd(At(factors, t), At(h, t - 1), At(terms, t), At(h, t));
            }
        });
        ctx.save_for_backward([a, states, lengths]);
        return states;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var saved = ctx.get_saved_variables();
        var (a, states) = (saved[0], saved[1]);
        var packing = PackedSequences.FromTensor(saved[2]);
        var gradient = grad_output.contiguous();
        var width = (int)a.shape[1];
        var (factorGradients, termGradients) = (empty_like(a), empty_like(a));
        var (factors, h, g, da, db) = ((nint)Floats(a), (nint)Floats(states), (nint)Floats(gradient), (nint)Floats(factorGradients), (nint)Floats(termGradients));
        packing.ForEachPart(get_num_threads(), (first, end) =>
        {
            Span<float> At(nint tensor, int t, int sequences) => new((float*)tensor + ((nint)packing.Row(t, first) * width), sequences * width);
            var later = 0;
            for (var t = packing.Steps - 1; t >= 0; t--)
            {
                var active = Math.Max(0, Math.Min(end, packing.Active(t)) - first);
                // Sequences that end here have no later step.
                At(g, t, active)[(later * width)..].CopyTo(At(db, t, active)[(later * width)..]);
                if (later > 0)
                    TensorPrimitives.MultiplyAdd(At(factors, t + 1, later), At(db, t + 1, later), At(g, t, later), At(db, t, later));
                if (t > 0)
                    TensorPrimitives.Multiply(At(db, t, active), At(h, t - 1, active), At(da, t, active));
                else
                    At(da, 0, active).Clear();
                later = active;
            }
        });
        return [factorGradients, termGradients, empty(0)];
    }
}
