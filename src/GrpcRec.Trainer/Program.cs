using System.CommandLine;
using GrpcRec.Trainer.Commands;

var root = new RootCommand("GrpcRec's training worker: makes models from events. `grpcrec` starts it; run by hand, it imports, synthesises, evaluates, tunes and quantises.")
{
    WorkerCommand.Create(),
    ImportCommand.Create(),
    SynthesizeCommand.Create(),
    EvaluateCommand.Create(),
    TuneCommand.Create(),
    QuantiseCommand.Create(),
};
return await root.Parse(args).InvokeAsync();
