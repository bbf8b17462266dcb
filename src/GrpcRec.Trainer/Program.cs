using System.CommandLine;
using GrpcRec.Trainer.Commands;

var root = new RootCommand("GrpcRec's training worker: makes models from events. `grpcrec` starts it; run by hand, it imports, synthesises and evaluates.")
{
    WorkerCommand.Create(),
    ImportCommand.Create(),
    SynthesizeCommand.Create(),
    EvaluateCommand.Create(),
};
return await root.Parse(args).InvokeAsync();
