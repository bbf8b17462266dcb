using System.Numerics.Tensors;
using TorchSharp;
using static GrpcRec.Training.Kernels.TensorMemory;
using static TorchSharp.torch;
using Tensor = TorchSharp.torch.Tensor;

namespace GrpcRec.Training.Encoders;

/// <summary>
/// h(t) = a(t)∘h(t-1) + b(t) from a zero state, with its own gradient: all that is sequential in an encoder that is linear in its state. Each
/// thread takes some of the sequences through all of time, one pass over memory each way; a scan in log T steps would read it log T times, and
/// on a CPU there are units and sequences enough to be parallel in.
/// With d(t) = dL/dh(t) + a(t+1)∘d(t+1): dL/db(t) = d(t), dL/da(t) = d(t)∘h(t-1).
/// </summary>
internal sealed unsafe class LinearScan : autograd.SingleTensorFunction<LinearScan>
{
    public override string Name => nameof(LinearScan);

    /// <param name="factors">[T, B, H] a.</param>
    /// <param name="terms">[T, B, H] b.</param>
    /// <returns>[T, B, H] h.</returns>
    public static Tensor Run(Tensor factors, Tensor terms) => apply(factors, terms);

    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        var a = ((Tensor)vars[0]).detach().contiguous();
        var b = ((Tensor)vars[1]).detach().contiguous();
        var states = empty_like(b);
        var (steps, batch, width) = ((int)a.shape[0], (int)a.shape[1], (int)a.shape[2]);
        var (factors, terms, h) = ((nint)Floats(a), (nint)Floats(b), (nint)Floats(states));
        ForEachPart(batch, Math.Clamp(get_num_threads(), 1, batch), (first, end) =>
        {
            var count = (end - first) * width;
            Span<float> At(nint tensor, int t) => new((float*)tensor + ((((nint)t * batch) + first) * width), count);
            At(terms, 0).CopyTo(At(h, 0));
            for (var t = 1; t < steps; t++)
                TensorPrimitives.MultiplyAdd(At(factors, t), At(h, t - 1), At(terms, t), At(h, t));
        });
        ctx.save_for_backward([a, states]);
        return states;
    }

    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor grad_output)
    {
        var saved = ctx.get_saved_variables();
        var (a, states) = (saved[0], saved[1]);
        var gradient = grad_output.contiguous();
        var (steps, batch, width) = ((int)a.shape[0], (int)a.shape[1], (int)a.shape[2]);
        var (factorGradients, termGradients) = (empty_like(a), empty_like(a));
        var (factors, h, g, da, db) = ((nint)Floats(a), (nint)Floats(states), (nint)Floats(gradient), (nint)Floats(factorGradients), (nint)Floats(termGradients));
        ForEachPart(batch, Math.Clamp(get_num_threads(), 1, batch), (first, end) =>
        {
            var count = (end - first) * width;
            Span<float> At(nint tensor, int t) => new((float*)tensor + ((((nint)t * batch) + first) * width), count);
            At(g, steps - 1).CopyTo(At(db, steps - 1));
            for (var t = steps - 1; t > 0; t--)
            {
                TensorPrimitives.Multiply(At(db, t), At(h, t - 1), At(da, t));
                TensorPrimitives.MultiplyAdd(At(factors, t), At(db, t), At(g, t - 1), At(db, t - 1));
            }

            At(da, 0).Clear();
        });
        return [factorGradients, termGradients];
    }
}
