namespace GrpcRec.Training.Optimizers;

/// <summary>How a gradient becomes a step.</summary>
public enum OptimizerKind
{
    /// <summary>Kingma &amp; Ba 2015. Weight decay, if any, is added to the gradient.</summary>
    Adam,

    /// <summary>Adam with weight decay apart from the gradient (Loshchilov &amp; Hutter 2019).</summary>
    AdamW,

    /// <summary>Stochastic gradient descent with momentum; weight decay is added to the gradient.</summary>
    Sgd,
}
