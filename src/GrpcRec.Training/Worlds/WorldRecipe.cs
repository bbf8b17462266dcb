using GrpcRec.Engine.Models;
using GrpcRec.Training.MultiTask;

namespace GrpcRec.Training.Worlds;

/// <summary>
/// What a behaviour's log-odds are made of, before the softmax over all behaviours of the world:
/// Base + Affinity·(how much the user likes the cluster, 0 to 1) + Quality·(the item's, -1 to 1) + Activity·(the user's, about N(0, 1))
/// + Momentum·(1 when the event before was a strong behaviour in the same cluster).
/// </summary>
internal sealed record BehaviorRecipe(string Name, double Base, double Affinity = 0, double Quality = 0, double Activity = 0, double Momentum = 0, bool Strong = false);

/// <summary>Log-odds that an event is completed, made as a behaviour's are; its value is then from Threshold to 1, and below otherwise.</summary>
internal sealed record CompletionRecipe(double Threshold, double Base, double Affinity, double Quality, double Activity);

/// <summary>The numbers of one world.</summary>
internal sealed record WorldRecipe
{
    public required string Name { get; init; }

    /// <summary>Clusters of items, which are the categories too.</summary>
    public required IReadOnlyList<string> Clusters { get; init; }

    /// <summary>Shades of a cluster (price bands, moods): a user keeps to one of them mostly.</summary>
    public int Shades { get; init; } = 4;
    /// <summary>A multiple of the group's size, 4.</summary>
    public required int ItemsPerShade { get; init; }

    /// <summary>Ways round a shade's groups; below the number of groups.</summary>
    public int Routes { get; init; } = 2;
    public required int Users { get; init; }
    public required int MinEvents { get; init; }
    public required int MaxEvents { get; init; }

    /// <summary>Chance to stay in the cluster, and to go on to its complement; the rest is a jump to a favourite, which begins a session.</summary>
    public required double Stay { get; init; }
    public required double Follow { get; init; }

    /// <summary>The same after a strong behaviour.</summary>
    public required double StayAfterStrong { get; init; }
    public required double FollowAfterStrong { get; init; }

    /// <summary>Within a cluster: chance that the next item is of the group that the user's route leads to, and not drawn by popularity.</summary>
    public required double Chain { get; init; }

    /// <summary>On to the complement: chance that the item is the last one's partner there.</summary>
    public required double Partner { get; init; }

    /// <summary>Share of popularity draws within the user's own shade.</summary>
    public double OwnShade { get; init; } = 0.75;

    /// <summary>Chance, after each event, that a new cluster becomes the first favourite and the last one is given up.</summary>
    public double Drift { get; init; } = 0.02;

    /// <summary>Mean seconds between two events of a session, and mean hours between sessions.</summary>
    public required double SecondsBetweenEvents { get; init; }
    public required double HoursBetweenSessions { get; init; }
    public required IReadOnlyList<BehaviorRecipe> Behaviors { get; init; }

    /// <summary>null: events have no value.</summary>
    public CompletionRecipe? Completion { get; init; }
    public required IReadOnlyList<TaskDefinition> Tasks { get; init; }

    /// <summary>The four ready worlds.</summary>
    public static IReadOnlyList<WorldRecipe> All { get; } =
    [
        new()
        {
            Name = "shop",
            Clusters = ["camera", "lens", "tripod", "laptop", "keyboard", "phone", "headphones", "speaker", "shoe", "jacket", "backpack", "tent", "bicycle", "helmet", "coffee", "grinder"],
            ItemsPerShade = 16,
            Users = 3000,
            MinEvents = 20,
            MaxEvents = 60,
            Stay = 0.60,
            Follow = 0.08,
            StayAfterStrong = 0.30,
            FollowAfterStrong = 0.60,
            Chain = 0.20,
            Partner = 0.50,
            SecondsBetweenEvents = 40,
            HoursBetweenSessions = 60,
            Behaviors =
            [
                new("view", 0),
                new("click", -0.9, Affinity: 1.4, Quality: 1.0, Activity: 0.8),
                new("cart", -2.6, Affinity: 1.8, Quality: 1.2, Activity: 1.0, Momentum: 0.4, Strong: true),
                new("purchase", -3.6, Affinity: 2.0, Quality: 1.5, Activity: 1.2, Momentum: 1.8, Strong: true),
            ],
            Tasks =
            [
                Next(),
                Binary("click", "click", "cart", "purchase"),
                Binary("purchase", "purchase"),
                Category(),
            ],
        },
        new()
        {
            Name = "social",
            Clusters = ["cats", "dogs", "hiking", "climbing", "baking", "vegan", "football", "running", "chess", "puzzles", "painting", "pottery", "travel", "trains", "gardens", "birds", "films", "books", "maths", "space"],
            ItemsPerShade = 16,
            Users = 3000,
            MinEvents = 20,
            MaxEvents = 60,
            Stay = 0.55,
            Follow = 0.15,
            StayAfterStrong = 0.80,
            FollowAfterStrong = 0.10,
            Chain = 0.20,
            Partner = 0.40,
            Drift = 0.04,
            SecondsBetweenEvents = 12,
            HoursBetweenSessions = 9,
            Behaviors =
            [
                new("view", 0),
                new("like", -1.3, Affinity: 1.8, Quality: 1.0, Activity: 1.0, Momentum: 0.4, Strong: true),
                new("comment", -3.2, Affinity: 1.8, Quality: 0.6, Activity: 1.4, Momentum: 1.0, Strong: true),
                new("share", -3.4, Affinity: 1.4, Quality: 2.0, Activity: 0.8, Momentum: 0.6, Strong: true),
            ],
            Tasks =
            [
                Next(),
                Binary("engage", "like", "comment", "share"),
                Binary("share", "share"),
                Category(),
            ],
        },
        new()
        {
            Name = "music",
            Clusters = ["jazz", "soul", "folk", "country", "techno", "house", "metal", "punk", "baroque", "romantic", "salsa", "samba"],
            Shades = 6,
            ItemsPerShade = 16,
            Users = 3000,
            MinEvents = 30,
            MaxEvents = 60,
            Stay = 0.70,
            Follow = 0.08,
            StayAfterStrong = 0.90,
            FollowAfterStrong = 0.05,
            Chain = 0.20,
            Partner = 0.30,
            Drift = 0.01,
            SecondsBetweenEvents = 200,
            HoursBetweenSessions = 20,
            Behaviors =
            [
                new("play", 0),
                new("skip", -0.6, Affinity: -1.6, Quality: -1.2),
                new("like", -2.2, Affinity: 1.6, Quality: 1.4, Activity: 1.2, Momentum: 0.8, Strong: true),
            ],
            Completion = new(0.8, Base: -0.4, Affinity: 1.4, Quality: 1.2, Activity: 0.4),
            Tasks =
            [
                Next(),
                new TaskDefinition { Name = "finish", Kind = TaskKind.Binary, Label = new LabelSource.ValueAtLeast(0.8) },
                Binary("like", "like"),
                Category(),
            ],
        },
        new()
        {
            Name = "video",
            Clusters = ["comedy", "pranks", "cooking", "streetfood", "gaming", "speedruns", "fitness", "yoga", "news", "history", "science", "gadgets", "cars", "restoration", "pets", "wildlife", "dance", "makeup"],
            ItemsPerShade = 16,
            Users = 3000,
            MinEvents = 25,
            MaxEvents = 60,
            Stay = 0.55,
            Follow = 0.15,
            StayAfterStrong = 0.75,
            FollowAfterStrong = 0.15,
            Chain = 0.20,
            Partner = 0.50,
            Drift = 0.03,
            SecondsBetweenEvents = 25,
            HoursBetweenSessions = 14,
            Behaviors =
            [
                new("watch", 0),
                new("skip", -0.2, Affinity: -1.6, Quality: -1.0),
                new("like", -2.0, Affinity: 1.6, Quality: 1.2, Activity: 1.2, Momentum: 0.6, Strong: true),
                new("follow", -3.6, Affinity: 2.2, Quality: 1.2, Activity: 0.8, Momentum: 1.4, Strong: true),
            ],
            Completion = new(0.7, Base: -0.6, Affinity: 1.2, Quality: 1.4, Activity: 0.5),
            Tasks =
            [
                Next(),
                new TaskDefinition { Name = "long_view", Kind = TaskKind.Binary, Label = new LabelSource.ValueAtLeast(0.7) },
                Binary("like", "like", "follow"),
                Binary("follow", "follow"),
                Category(),
            ],
        },
    ];

    private static TaskDefinition Next() => new() { Name = "next", Kind = TaskKind.NextItem };

    private static TaskDefinition Category() => new() { Name = "category", Kind = TaskKind.Multiclass, Label = new LabelSource.NextCategory() };

    private static TaskDefinition Binary(string name, params string[] behaviors) =>
        new() { Name = name, Kind = TaskKind.Binary, Label = new LabelSource.Behaviors(behaviors) };
}
