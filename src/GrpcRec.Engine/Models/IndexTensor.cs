namespace GrpcRec.Engine.Models;

/// <summary>One named block of whole numbers: rows of a table, not weights.</summary>
/// <param name="Shape">Sizes of the axes, each ≥ 1.</param>
/// <param name="Data">[product of <paramref name="Shape"/>] int32, row-major. Never written once it is in an artefact.</param>
public sealed record IndexTensor(int[] Shape, int[] Data);
