using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Cuda.Driver;
using GrpcRec.Engine.Models;
using GrpcRec.Engine.Ranking;
using GrpcRec.Engine.Steps;
using GrpcRec.Engine.Tests.Models;
using Microsoft.Extensions.Time.Testing;

namespace GrpcRec.Engine.Tests.Cuda;

/// <summary>Devices that are missing, too small, failing or lost.</summary>
[Collection(StandIn.Collection)]
public sealed class CudaFaultTests
{
    private const int IllegalAddress = 700;

    [SkippableFact]
    public void Engines_ManyMadeUsedAndLetGo_LeaveNothing()
    {
        var options = StandIn.Begin();
        var model = RandomModel.Create(new ModelShape(33, Layers: 2, BehaviorEmbedding: 3));
        // Another model's engine keeps the context: with it gone, the driver would tidy up after us.
        var other = StandIn.Create(RandomModel.Create(new ModelShape(4)), options);
        var before = StandIn.Alive();
        for (var round = 0; round < 3; round++)
        {
            using var first = StandIn.Create(model, options);
            using var second = StandIn.Create(model, options);
            Assert.True(first.TryRent(out var slot));
            for (var n = 0; n < 6; n++)
                first.Step([new StepEvent(slot, n, 0)]);
            var query = new RankQuery { Slot = slot, K = 5 };
            first.Rank([query]);
            Assert.Equal(5, query.Result.Length);
        }

        Assert.Equal(before, StandIn.Alive());
        other.Dispose();
        StandIn.AssertNothingLeft();
    }

    /// <summary>Each call that making an engine takes and that can fail, at each of its times. cuCtxSetCurrent: beside this, it belongs to all.</summary>
    [SkippableTheory]
    [InlineData("cuInit", 100)]
    [InlineData("cuDeviceGetCount", 3)]
    [InlineData("cuDeviceGet", 101)]
    [InlineData("cuDeviceGetName", 101)]
    [InlineData("cuDeviceGetAttribute", 101)]
    [InlineData("cuDevicePrimaryCtxRetain", 2)]
    [InlineData("cuMemGetInfo_v2", 2)]
    [InlineData("cuMemAlloc_v2", 2)]
    [InlineData("cuMemHostAlloc", 2)]
    [InlineData("cuMemsetD8Async", 1)]
    [InlineData("cuMemcpyHtoDAsync_v2", 1)]
    [InlineData("cuStreamCreate", 2)]
    [InlineData("cuStreamSynchronize", 1)]
    [InlineData("cuEventCreate", 2)]
    [InlineData("cuModuleLoadData", 218)]
    [InlineData("cuModuleGetFunction", 500)]
    [InlineData("cuOccupancyMaxActiveBlocksPerMultiprocessor", 1)]
    [InlineData("cuLaunchKernel", 701)]
    public void Create_CallFails_IsRefusedAndLeavesNothing(string call, int code)
    {
        const int most = 200;
        var options = StandIn.Begin();
        var model = RandomModel.Create(new ModelShape(8));
        // Another model's engine keeps the context: with it gone, the driver would tidy up after us.
        var makesContext = call is "cuInit" or "cuDevicePrimaryCtxRetain" || call.StartsWith("cuDevice", StringComparison.Ordinal);
        using var other = makesContext ? null : StandIn.Create(RandomModel.Create(new ModelShape(4)), options);
        var before = StandIn.Alive();
        var times = 0;
        for (var isRefused = true; isRefused; times++)
        {
            StandIn.Set("FAIL", $"{call}:{times + 1}:{code}");
            isRefused = false;
            try
            {
                StandIn.Create(model, options).Dispose();
            }
            catch (EngineException exception)
            {
                Assert.DoesNotContain("Exception", exception.Message, StringComparison.Ordinal);
                isRefused = true;
            }

            // Without help from finalisers: nobody knows when they run.
            Assert.Equal(before, StandIn.Alive());
            Assert.True(times < most, "it is called without end");
        }

        Assert.True(times > 1, $"{call} was never called, or its failure not seen");
    }

    [SkippableFact]
    public void Create_DeviceTooSmall_SaysWhatToDo()
    {
        var options = StandIn.Begin();
        var model = RandomModel.Create(new ModelShape(64, Catalog: 3_000));
        StandIn.Set("MEM", "4");
        Assert.Contains("--engine cpu", Assert.Throws<EngineException>(() => StandIn.Create(model, options)).Message, StringComparison.Ordinal);
        StandIn.Set("MEM", "16384");
        var refused = Assert.Throws<EngineException>(() => StandIn.Create(model, options with { MemoryBudgetBytes = 4 << 20 }));
        Assert.Contains("--cuda-memory", refused.Message, StringComparison.Ordinal);
        StandIn.AssertNothingLeft();
    }

    [SkippableFact]
    public void Create_TableBeyondTheBudget_ComputesPerBatch()
    {
        var options = StandIn.Begin();
        using var engine = StandIn.Create(RandomModel.Create(new ModelShape(8)), options, tableBudget: 1_000);
        Assert.False(engine.UsesGateTable);
        Assert.Contains("computed per batch", engine.Description, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Create_NoSuchDeviceOrKernels_SaysSo()
    {
        var options = StandIn.Begin();
        var model = RandomModel.Create(new ModelShape(8));
        Assert.Contains("--cuda-device is 63", Assert.Throws<EngineException>(() => StandIn.Create(model, options with { Device = 63 })).Message, StringComparison.Ordinal);
        Assert.Contains("--cuda-kernels", Refusal(() => StandIn.Create(model, options with { Kernels = "/nowhere/kernels" })), StringComparison.Ordinal);
        StandIn.AssertNothingLeft();
    }

    [SkippableFact]
    public void Create_Bf16BeforeItsCapability_SaysSo()
    {
        var options = StandIn.Begin("7.5", CudaProduct.Bfloat16);
        Assert.Contains("bf16", Assert.Throws<EngineException>(() => StandIn.Create(RandomModel.Create(new ModelShape(8)), options)).Message, StringComparison.Ordinal);
        StandIn.AssertNothingLeft();
    }

    [SkippableFact]
    public void Memory_ByCatalogue_TellsItemsFromWeights()
    {
        var options = StandIn.Begin();
        foreach (var budget in new[] { 512L << 20, 0 })
        {
            using var small = StandIn.Create(RandomModel.Create(new ModelShape(8, Catalog: 300)), options, tableBudget: budget);
            using var large = StandIn.Create(RandomModel.Create(new ModelShape(8, Catalog: 600)), options, tableBudget: budget);
            Assert.Equal(budget > 0, small.UsesGateTable);
            Assert.Equal(small.Memory.WeightBytes, large.Memory.WeightBytes);
            Assert.Equal(300 * small.Memory.BytesPerItem, small.Memory.ItemBytes);
            Assert.Equal(600 * small.Memory.BytesPerItem, large.Memory.ItemBytes);
        }
    }

    [SkippableTheory]
    [InlineData(CudaProduct.Float16, null)]
    [InlineData(CudaProduct.Bfloat16, Precision.Bf16)]
    [InlineData(CudaProduct.Float32, Precision.Float32)]
    public void Precision_IsThatOfTheProducts(CudaProduct product, Precision? precision)
    {
        using var engine = StandIn.Create(RandomModel.Create(new ModelShape(8)), StandIn.Begin(product: product));
        Assert.Equal(precision, engine.Precision);
    }

    /// <summary>What a load says reaches callers: paths are for the log, in the inner exception.</summary>
    [SkippableFact]
    public void Create_WrongFileOrDriver_NamesNoPathButInTheInnerException()
    {
        var options = StandIn.Begin();
        var model = RandomModel.Create(new ModelShape(8));
        Refusal(() => StandIn.Create(model, options with { Kernels = "/nowhere/kernels" }));
        foreach (var (call, code) in new[] { ("cuModuleLoadData", 209), ("cuModuleGetFunction", 500) })
        {
            StandIn.Set("FAIL", $"{call}:1:{code}");
            Refusal(() => StandIn.Create(model, options));
        }

        StandIn.Set("FAIL", "");
        Refusal(() => StandIn.Create(model, options with { Driver = "/nowhere/driver" }));
    }

    /// <summary>Its own context is counted by nobody else: what is retained after this is a leak.</summary>
    [SkippableTheory]
    [InlineData("cuCtxSetCurrent")]
    [InlineData("cuDeviceGetName")]
    [InlineData("cuDeviceGetAttribute")]
    public void Context_CallFailsAfterItWasRetained_IsReleased(string call)
    {
        var options = StandIn.Begin();
        StandIn.Set("FAIL", $"{call}:1:999");
        Assert.Throws<EngineException>(() => StandIn.Create(RandomModel.Create(new ModelShape(8)), options));
        StandIn.Set("FAIL", "");
        Assert.Equal(CudaStatus.InvalidContext, CudaDriver.cuDevicePrimaryCtxRelease(0));
    }

    public static TheoryData<ModelShape, string> Refused => new()
    {
        { ModelShape.Rnn(8), "encoder kind rnn" },
        { ModelShape.Bag(8), "encoder kind bag" },
        { ModelShape.Cnn(8, 4, 2, 0, 2), "encoder kind cnn" },
        { new ModelShape(8, Trunk: TrunkKind.Mmoe, Experts: 2), "trunk mmoe" },
        { new ModelShape(8, Trunk: TrunkKind.Ple, Experts: 2), "trunk ple" },
        { new ModelShape(8, Trunk: TrunkKind.Stem, Experts: 2), "trunk stem" },
    };

    [SkippableTheory]
    [MemberData(nameof(Refused))]
    public void Create_KindThatTheDeviceDoesNotRun_IsRefusedByName(ModelShape shape, string name)
    {
        var options = StandIn.Begin();
        Assert.Contains(name, Assert.Throws<EngineException>(() => StandIn.Create(RandomModel.Create(shape), options)).Message, StringComparison.Ordinal);
        StandIn.AssertNothingLeft();
    }

    [SkippableFact]
    public void Auto_PicksTheDeviceForWhatItRuns()
    {
        var options = StandIn.Options(StandIn.Begin()) with { Kind = EngineKind.Auto };
        using (var engine = StepEngineFactory.Create(RandomModel.Create(new ModelShape(8)), options))
            Assert.Matches("^cuda-sm[0-9]+-f16$", engine.Name);
        using (var engine = StepEngineFactory.Create(RandomModel.Create(ModelShape.Bag(8)), options))
            Assert.StartsWith("cpu-", engine.Name, StringComparison.Ordinal);
    }

    /// <summary>Too old: no kernels for it (209). Too full: the model does not fit. Neither keeps the server from serving it.</summary>
    [SkippableTheory]
    [InlineData("FAIL", "cuModuleLoadData:0:209", "has none for")]
    [InlineData("MEM", "4", "of device memory")]
    [InlineData("FAIL", "kernel:1:700", "cannot be made")]
    public void Auto_DeviceDoesNotTakeTheModel_TakesTheCpuAndSaysWhy(string setting, string value, string why)
    {
        var options = StandIn.Options(StandIn.Begin()) with { Kind = EngineKind.Auto };
        var model = RandomModel.Create(new ModelShape(64, Catalog: 3_000));
        StandIn.Set(setting, value);
        using (var engine = StepEngineFactory.Create(model, options))
        {
            Assert.StartsWith("cpu-", engine.Name, StringComparison.Ordinal);
            Assert.Contains(why, engine.Description, StringComparison.Ordinal);
        }

        // Asked for by name it is still refused.
        StandIn.Set(setting, value);
        Assert.ThrowsAny<Exception>(() => StepEngineFactory.Create(model, options with { Kind = EngineKind.Cuda }));
        StandIn.AssertNothingLeft();
    }

    [SkippableFact]
    public void Device_Lost_ReinitialisesAndForgetsOldSlots()
    {
        var health = new EngineHealth();
        using var engine = new CudaFailover(RandomModel.Create(new ModelShape(16)), StandIn.Options(StandIn.Begin() with { Health = health }, slots: 4));
        Assert.True(engine.TryRent(out var old));
        Assert.True(engine.TryRent(out var other));
        engine.Step([new StepEvent(old, 1, 0)]);
        var before = Hidden(engine, old);
        StandIn.Set("FAIL", $"kernel:1:{IllegalAddress}");
        // The device tells of it whenever it does: at the latest when a result is read.
        Assert.Throws<EngineLostException>(() =>
        {
            engine.Step([new StepEvent(old, 2, 0)]);
            Hidden(engine, old);
        });
        Assert.Equal(1, engine.Generation);
        Assert.False(engine.IsLost);
        Assert.False(health.IsLost);

        // Slots of before are refused, given back, and not mixed up with new ones.
        Assert.Throws<EngineLostException>(() => engine.Advance([new EventRun(other, 0, 1)], [1], [0]));
        Assert.Equal(2, engine.FreeSlots);
        Assert.True(engine.TryRent(out var fresh));
        Assert.NotEqual(old, fresh);
        engine.Return(old);
        engine.Return(other);
        Assert.Equal(3, engine.FreeSlots);
        engine.Step([new StepEvent(fresh, 1, 0)]);
        Assert.Equal(before, Hidden(engine, fresh));
        var query = new RankQuery { Slot = fresh, K = 3 };
        engine.Rank([query]);
        Assert.Equal(3, query.Result.Length);
    }

    [SkippableFact]
    public void Device_LostByOneEngine_IsLostForAllAndComesBackForAll()
    {
        var options = StandIn.Options(StandIn.Begin());
        var model = RandomModel.Create(new ModelShape(16));
        using var first = new CudaFailover(model, options);
        using var second = new CudaFailover(model, options);
        Assert.True(second.TryRent(out var held));
        Lose(first);
        Assert.Throws<EngineLostException>(() => second.Step([new StepEvent(held, 1, 0)]));
        foreach (var engine in new[] { first, second })
        {
            Assert.True(engine.TryRent(out var slot));
            engine.Step([new StepEvent(slot, 1, 0)]);
            Assert.Contains(Hidden(engine, slot), value => value != 0);
        }
    }

    [SkippableFact]
    public void Device_LostForTheProcess_IsUnhealthyUntilItComesBack()
    {
        var health = new EngineHealth();
        var time = new FakeTimeProvider();
        using var engine = new CudaFailover(RandomModel.Create(new ModelShape(16)), StandIn.Options(StandIn.Begin() with { Health = health, Time = time }));
        StandIn.Set("LOSS", "process");
        Lose(engine);
        Assert.True(engine.IsLost);
        Assert.True(health.IsLost);
        Assert.False(engine.TryRent(out _));
        Assert.Equal(0, engine.FreeSlots);

        // Not looked at again before its time.
        StandIn.Set("LOSS", "context");
        time.Advance(TimeSpan.FromMilliseconds(999));
        Assert.False(engine.TryRent(out _));
        time.Advance(TimeSpan.FromMilliseconds(2));
        Assert.True(engine.TryRent(out var slot));
        Assert.False(health.IsLost);
        engine.Step([new StepEvent(slot, 1, 0)]);
        Assert.Contains(Hidden(engine, slot), value => value != 0);
    }

    [SkippableFact]
    public void Device_Lost_CpuTakesOver()
    {
        var health = new EngineHealth();
        var model = RandomModel.Create(new ModelShape(16));
        using var engine = new CudaFailover(model, StandIn.Options(StandIn.Begin() with { Health = health, OnLoss = DeviceLossAction.Cpu }));
        Lose(engine);
        Assert.StartsWith("cpu-", engine.Name, StringComparison.Ordinal);
        Assert.True(health.IsDegraded);
        Assert.False(health.IsLost);
        Assert.True(engine.TryRent(out var slot));
        engine.Step([new StepEvent(slot, 1, 0)]);
        Assert.Contains(Hidden(engine, slot), value => value != 0);
        StandIn.AssertNothingLeft();
    }

    [SkippableFact]
    public void Device_LostAndToFail_StaysLost()
    {
        var health = new EngineHealth();
        using (var engine = new CudaFailover(RandomModel.Create(new ModelShape(16)), StandIn.Options(StandIn.Begin() with { Health = health, OnLoss = DeviceLossAction.Fail })))
        {
            Lose(engine);
            Assert.True(engine.IsLost);
            Assert.True(health.IsLost);
            Assert.False(engine.TryRent(out _));
        }

        Assert.False(health.IsLost);
        StandIn.AssertNothingLeft();
    }

    /// <summary>A call that fails without a loss: the engine goes on.</summary>
    [SkippableFact]
    public void Call_FailsOnce_EngineGoesOn()
    {
        using var engine = StandIn.Create(RandomModel.Create(new ModelShape(16)), StandIn.Begin());
        Assert.True(engine.TryRent(out var slot));
        StandIn.Set("FAIL", "cuMemcpyDtoHAsync_v2:1:2");
        Assert.Throws<EngineException>(() => Hidden(engine, slot));
        Assert.All(Hidden(engine, slot), value => Assert.Equal(0, value));
    }

    /// <returns>The message, which holds no path; the inner exception does.</returns>
    private static string Refusal(Func<CudaEngine> create)
    {
        var refused = Assert.Throws<EngineException>(create);
        Assert.DoesNotContain("/", refused.Message.Replace("docs/CUDA.md", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("/", refused.InnerException!.Message, StringComparison.Ordinal);
        return refused.Message;
    }

    private static void Lose(CudaFailover engine)
    {
        Assert.True(engine.TryRent(out var slot));
        StandIn.Set("FAIL", $"kernel:1:{IllegalAddress}");
        Assert.Throws<EngineLostException>(() =>
        {
            engine.Step([new StepEvent(slot, 2, 0)]);
            Hidden(engine, slot);
        });
        StandIn.Set("FAIL", "");
        engine.Return(slot);
    }

    private static float[] Hidden(IStepEngine engine, Slot slot)
    {
        var hidden = new float[engine.HiddenSize];
        engine.ReadHidden(slot, hidden);
        return hidden;
    }
}
