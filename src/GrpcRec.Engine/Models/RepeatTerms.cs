using System.Numerics;

namespace GrpcRec.Engine.Models;

/// <summary>
/// Terms of the items that a sequence already has, in the logit of next_item: what a user takes again, and what never. One for each
/// power of two of the events that came after the item's last one, so that it may fade or grow with distance. (A mode of repeating beside one
/// of exploring, as in RepeatNet, Ren et al., AAAI 2019, but as terms of one softmax.)
/// </summary>
public static class RepeatTerms
{
    /// <summary>D: terms of a model that reads this many events at most.</summary>
    public static int Count(int maxSequenceLength) => BitOperations.Log2((uint)maxSequenceLength) + 1;

    /// <param name="eventsSince">Events after the item's last one: 0 for the item of the last event.</param>
    /// <returns>Which term is the item's, 0…D-1.</returns>
    public static int Of(int eventsSince) => BitOperations.Log2((uint)eventsSince + 1);
}
