using System.CommandLine;
using GrpcRec.V1;

namespace GrpcRec.Server.Commands;

/// <summary>The options of <c>grpcrec train</c> that say what network is trained: one for each field of <see cref="Architecture"/> that people change.</summary>
sealed class NetworkOptions
{
    readonly Option<string?> _encoder = new("--encoder") { Description = "What reads the events: lstm, gru, rnn, bag, cnn or mingru. Default lstm." };
    readonly Option<int?> _embeddingSize = new("--embedding-size") { Description = "Size of the item embedding. Default 64." };
    readonly Option<int?> _hiddenSize = new("--hidden-size") { Description = "Size of the hidden state. Default 128." };
    readonly Option<int?> _layers = new("--layers") { Description = "Recurrent layers, or dense layers of a bag. Default 1." };
    readonly Option<double?> _dropout = new("--dropout") { Description = "Share of embedding and between-layer units dropped in training. Default 0.2." };
    readonly Option<int?> _maxLength = new("--max-length") { Description = "Events that the model reads, the last ones. Default 200." };
    readonly Option<GruReset?> _gruReset = new("--gru-reset") { Description = "gru: afterproduct or beforeproduct. Default afterproduct, as cuDNN and PyTorch have it." };
    readonly Option<int?> _window = new("--window") { Description = "cnn: events that the filters see. Default 8." };
    readonly Option<int[]> _heights = new("--filter-heights") { Description = "cnn: heights of the horizontal filters in events. Default 1 2 4.", AllowMultipleArgumentsPerToken = true };
    readonly Option<int?> _horizontal = new("--filters") { Description = "cnn: horizontal filters of each height. Default 16." };
    readonly Option<int?> _vertical = new("--vertical-filters") { Description = "cnn: vertical filters. Default 4." };
    readonly Option<string?> _trunk = new("--trunk") { Description = "What the tasks share: shared_bottom, mmoe, cgc, ple or stem (an item embedding for each task). Default shared_bottom." };
    readonly Option<int?> _sharedExperts = new("--experts") { Description = "mmoe, cgc, ple, stem: experts that all tasks mix. Default 4." };
    readonly Option<int?> _taskExperts = new("--task-experts") { Description = "cgc, ple, stem: further experts of each task. Default 2." };
    readonly Option<int?> _levels = new("--trunk-levels") { Description = "ple: levels. Default 2." };
    readonly Option<int?> _bottomSize = new("--expert-size") { Description = "Size of the shared bottom, or of each expert. Default 64." };
    readonly Option<string[]> _eventFeatures = new("--event-feature") { Description = "What the encoder reads of an event beside its item and behaviour: a context by its name, time_gap, value or item_category. Repeatable.", AllowMultipleArgumentsPerToken = true };
    readonly Option<string[]> _requestFeatures = new("--request-feature") { Description = "A context that tasks of a candidate read of the request; in training of the event that is predicted, so name only what is known before its outcome. Repeatable.", AllowMultipleArgumentsPerToken = true };
    readonly Option<bool> _itemTerms = new("--item-terms") { Description = "A term for each item in binary tasks of a candidate, which begins at the item's rate." };

    readonly Option<bool> _itemMemory = new("--item-memory") { Description = "A way in next_item from the items read straight to those that are like them; most for many items with few events each." };
    readonly Option<bool> _repeatTerms = new("--repeat-terms") { Description = "Terms in next_item of the items that a sequence already has: what is taken again, and what never." };

    public IEnumerable<Option> All =>
    [
        _encoder, _embeddingSize, _hiddenSize, _layers, _dropout, _maxLength, _gruReset, _window, _heights, _horizontal, _vertical,
        _trunk, _sharedExperts, _taskExperts, _levels, _bottomSize, _eventFeatures, _requestFeatures, _itemTerms, _itemMemory, _repeatTerms,
    ];

    public void Override(Architecture network, ParseResult parsed)
    {
        if (parsed.GetValue(_encoder) is { } encoder) network.Encoder = encoder;
        if (parsed.GetValue(_embeddingSize) is { } embedding) network.EmbeddingSize = embedding;
        if (parsed.GetValue(_hiddenSize) is { } hidden) network.HiddenSize = hidden;
        if (parsed.GetValue(_layers) is { } layers) network.Layers = layers;
        if (parsed.GetValue(_dropout) is { } dropout) network.Dropout = dropout;
        if (parsed.GetValue(_maxLength) is { } length) network.MaxSequenceLength = length;
        if (parsed.GetValue(_gruReset) is { } reset) network.GruReset = reset;
        if (parsed.GetValue(_window) is { } window) network.WindowLength = window;
        if (parsed.GetValue(_heights) is { Length: > 0 } heights)
        {
            network.FilterHeights.Clear();
            network.FilterHeights.Add(heights);
        }

        if (parsed.GetValue(_horizontal) is { } horizontal) network.HorizontalFilters = horizontal;
        if (parsed.GetValue(_vertical) is { } vertical) network.VerticalFilters = vertical;
        if (parsed.GetValue(_trunk) is { } trunk) network.Trunk = trunk;
        if (parsed.GetValue(_sharedExperts) is { } shared) network.SharedExperts = shared;
        if (parsed.GetValue(_taskExperts) is { } own) network.TaskExperts = own;
        if (parsed.GetValue(_levels) is { } levels) network.TrunkLevels = levels;
        if (parsed.GetValue(_bottomSize) is { } size) network.BottomSize = size;
        if (parsed.GetValue(_eventFeatures) is { Length: > 0 } events)
        {
            network.EventFeatures.Clear();
            network.EventFeatures.Add(events.Select(name => new EventFeatureSpec { Name = name, Source = name is "time_gap" or "value" or "item_category" ? name : "" }));
        }

        if (parsed.GetValue(_requestFeatures) is { Length: > 0 } requests)
        {
            network.RequestFeatures.Clear();
            network.RequestFeatures.Add(requests.Select(name => new RequestFeatureSpec { Name = name }));
        }

        if (parsed.GetValue(_itemTerms)) network.ItemTerms = true;
        if (parsed.GetValue(_itemMemory)) network.ItemMemory = true;
        if (parsed.GetValue(_repeatTerms)) network.RepeatTerms = true;
    }
}
