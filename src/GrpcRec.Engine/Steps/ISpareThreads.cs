namespace GrpcRec.Engine.Steps;

/// <summary>Threads that an engine may ask for help while they have nothing to do of their own.</summary>
public interface ISpareThreads
{
    /// <summary>
    /// Asks threads that are idle now to call <see cref="SharedWork.Help"/>. Returns at once and promises nothing: whoever shares work
    /// does what nobody else takes.
    /// </summary>
    /// <param name="most">More threads than this have nothing to do.</param>
    void Invite(SharedWork work, int most);
}
