namespace GrpcRec.Benchmarks.Timing;

/// <param name="Name">For tables and messages.</param>
/// <param name="Call">The timed work.</param>
/// <param name="Prepare">Run before each of this contestant's turns and not timed, for example to set a library's thread count. Null: nothing.</param>
public sealed record Contestant(string Name, Action Call, Action? Prepare = null);
