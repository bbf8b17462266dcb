using GrpcRec.Engine.Tests.Cpu;

// The test host loads this assembly as a library; run by itself it is the child of KernelPathTests.
return KernelProbe.Run(Console.Out);
