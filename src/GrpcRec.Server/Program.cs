using System.CommandLine;
using GrpcRec.Server.Commands;

var root = new RootCommand("GrpcRec: learns from what users do and tells what they will do next, over gRPC.")
{
    ServeCommand.Create(),
};

// The command's own drain timeout bounds how long a stop takes; the library's two seconds would cut requests off.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) });
