using System.Runtime.InteropServices;

namespace GrpcRec.Engine.Cuda;

// The structs of native/include/grpcrec/abi.h, field by field; what each means stands there. Addresses are the device's; 0: NULL.

[StructLayout(LayoutKind.Sequential)]
internal struct RecurrentArguments
{
    public ulong Weights, GateRows, BehaviorRows, Items, Behaviors, Slots, Starts, Counts, StateH, StateC, ResetBias, HiddenFirst, HiddenEvents, ResetHidden, UpdateGate;
    public int Runs, Step, Hidden, Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct ProjectArguments
{
    public ulong Weights, Input, Bias, Out;
    public int Rows, Inner, Hidden, Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RowsArguments
{
    public ulong In, Rows, Out;
    public int Count, Width;
}

[StructLayout(LayoutKind.Sequential)]
internal struct DenseArguments
{
    public ulong In, Rows, Weights, Bias, Addend, AddendRows, Pair, PairRows, Out;
    public int Count, Columns, Inner, LdIn, LdWeights, LdAddend, LdPair, LdOut, Relu, Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct PairArguments
{
    public ulong Queries, QueryRows, Items, ItemRows, Bias, Out;
    public int Count, Inner, LdQueries, LdItems, LdOut, Reserved;
}

[StructLayout(LayoutKind.Sequential)]
internal struct QueryArguments
{
    public ulong Queries, Rounded, Scales;
    public int Width, Count;
}

[StructLayout(LayoutKind.Sequential)]
internal struct RankArguments
{
    public ulong Items, ItemBias, Queries, Scales, Masks, MaskRows, Excluded, ExcludedStarts, ListScores, ListItems;
    public int Catalog, Width, QueriesCount, List, Slice, Slices;
}

[StructLayout(LayoutKind.Sequential)]
internal struct MergeArguments
{
    public ulong ListScores, ListItems, ExactItems, ExactQueries, ItemBias, TopScores, TopItems, Certified;
    public float MaxItemNorm;
    public int Width, List, Slices, K, Reserved;
}
