using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Tests.Models;
using GrpcRec.Engine.Tests.Steps;

namespace GrpcRec.Engine.Tests.Cuda;

/// <summary>A model of the operator table on a device.</summary>
public sealed record CudaCase(ModelShape Shape, string Capability, CudaProduct Product, bool Table = true)
{
    /// <summary>
    /// Of a hidden state. 16-bit products: weights and states rounded by 2^-11 (bf16: 2^-8), tanh.approx off by 2^-11; the state contracts.
    /// float32: the exponential's 4e-7, not more than ten times over.
    /// </summary>
    public double Tolerance => Product switch
    {
        CudaProduct.Float16 => 2e-3,
        CudaProduct.Bfloat16 => 1.5e-2,
        _ => 2e-5,
    };

    /// <summary>Every LSTM and GRU of the table with a trunk that the device has, and wide ones for the step path, on every capability.</summary>
    public static TheoryData<CudaCase> Every
    {
        get
        {
            ModelShape[] shapes =
            [
                .. OperatorCases.OfKind(EncoderKind.Lstm), .. OperatorCases.OfKind(EncoderKind.Gru),
                new(200, Layers: 2, Embedding: 40, BehaviorEmbedding: 4, Tasks: false), ModelShape.Gru(129, ResetPlacement.BeforeProduct) with { Tasks = false },
            ];
            var cases = new TheoryData<CudaCase>();
            foreach (var capability in StandIn.Capabilities)
            {
                foreach (var shape in shapes)
                {
                    foreach (var product in new[] { CudaProduct.Float16, CudaProduct.Float32, CudaProduct.Bfloat16 })
                    {
                        if (product == CudaProduct.Bfloat16 && string.CompareOrdinal(capability, "8.0") < 0)
                            continue;
                        // A plain run: a few models; f16 on the two capabilities whose code differs most, the others on one.
                        var plain = product == CudaProduct.Float16 ? capability is "7.0" or "8.0" : capability == "8.0" && shape.Hidden == 17;
                        if (StandIn.All || (plain && shape.Hidden is 7 or 17 or 48))
                            cases.Add(new CudaCase(shape, capability, product));
                    }
                }

                if (StandIn.All || capability == "7.5")
                    cases.Add(new CudaCase(new ModelShape(33, Layers: 2, BehaviorEmbedding: 3), capability, CudaProduct.Float16, Table: false));
            }

            return cases;
        }
    }

    internal CudaEngine Create(ModelArtifact model, int slots = 64) => StandIn.Create(model, StandIn.Begin(Capability, Product), slots, Table ? 512L << 20 : 0);

    public override string ToString() => $"{Capability} {Product}{(Table ? "" : " no table")} {Shape}";
}
