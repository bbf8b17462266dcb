using System.Diagnostics;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using GrpcRec.Engine.Cuda;
using GrpcRec.Engine.Cuda.Driver;

namespace GrpcRec.Engine.Tests.Cuda;

/// <summary>The binding's signatures against NVIDIA's own header, and the kernels' arguments against ours: what differs does not compile.</summary>
public sealed class NativeContractTests
{
    private const string Sizes = """
        #include <cstddef>
        template <size_t... Expected, class R, class... A> constexpr bool Same(R (*)(A...)) {
          constexpr size_t expected[] = {Expected...}, actual[] = {sizeof(R), sizeof(A)...};
          if (sizeof...(Expected) != sizeof...(A) + 1) return false;
          for (size_t i = 0; i < sizeof...(Expected); ++i) if (expected[i] != actual[i]) return false;
          return true;
        }

        """;

    [SkippableFact]
    public void Binding_EverySignature_IsNvidias()
    {
        var source = new StringBuilder("#include <cuda.h>\n").Append(Sizes);
        foreach (var (name, sizes) in Functions())
            source.Append("static_assert(Same<").AppendJoin(", ", sizes).Append(">(&").Append(name).Append("), \"").Append(name).Append("\");\n");
        foreach (var status in Enum.GetValues<CudaStatus>())
            source.Append("static_assert(").Append(NativeName(status)).Append(" == ").Append((int)status).Append(", \"status\");\n");
        foreach (var attribute in Enum.GetValues<DeviceAttribute>())
            source.Append("static_assert(CU_DEVICE_ATTRIBUTE_").Append(Upper(attribute.ToString())).Append(" == ").Append((int)attribute).Append(", \"attribute\");\n");
        foreach (var attribute in Enum.GetValues<FunctionAttribute>())
            source.Append("static_assert(CU_FUNC_ATTRIBUTE_").Append(Upper(attribute.ToString())).Append(" == ").Append((int)attribute).Append(", \"attribute\");\n");
        Compile(source.ToString(), CudaInclude());
    }

    [SkippableFact]
    public void Binding_WrongSignature_DoesNotCompile()
    {
        var (name, sizes) = Functions().First();
        var source = $"#include <cuda.h>\n{Sizes}static_assert(Same<{string.Join(", ", sizes.Select(size => 2 * size))}>(&{name}), \"{name}\");\n";
        Assert.ThrowsAny<Exception>(() => Compile(source, CudaInclude()));
    }

    [SkippableFact]
    public void Arguments_EveryField_StandsWhereTheKernelsReadIt()
    {
        var source = new StringBuilder("#include \"grpcrec/abi.h\"\n#include <cstddef>\n");
        foreach (var (type, name) in new[]
        {
            (typeof(RecurrentArguments), "gr_recurrent_args"), (typeof(ProjectArguments), "gr_project_args"), (typeof(RowsArguments), "gr_rows_args"),
            (typeof(DenseArguments), "gr_dense_args"), (typeof(PairArguments), "gr_pair_args"), (typeof(QueryArguments), "gr_query_args"),
            (typeof(RankArguments), "gr_rank_args"), (typeof(MergeArguments), "gr_merge_args"),
        })
        {
            source.Append("static_assert(sizeof(").Append(name).Append(") == ").Append(Marshal.SizeOf(type)).Append(", \"").Append(name).Append("\");\n");
            foreach (var field in type.GetFields())
            {
                var native = Upper(field.Name).ToLowerInvariant();
                source.Append("static_assert(offsetof(").Append(name).Append(", ").Append(native).Append(") == ").Append(Marshal.OffsetOf(type, field.Name)).Append(", \"").Append(native).Append("\");\n");
            }
        }

        Compile(source.ToString(), Path.Combine(StandIn.RequireRoot(), "native/include"));
    }

    /// <summary>Entry points with the bytes of the result and of each parameter.</summary>
    private static IEnumerable<(string Name, int[] Sizes)> Functions() =>
        from method in typeof(CudaDriver).GetMethods(BindingFlags.Public | BindingFlags.Static)
        let import = method.GetCustomAttribute<LibraryImportAttribute>()
        where import is not null
        select (import.EntryPoint ?? method.Name, (int[])[SizeOf(method.ReturnType), .. method.GetParameters().Select(parameter => SizeOf(parameter.ParameterType))]);

    private static int SizeOf(Type type) => type.IsPointer || type == typeof(nint) || type == typeof(nuint) ? 8 : Marshal.SizeOf(type.IsEnum ? type.GetEnumUnderlyingType() : type);

    private static string NativeName(CudaStatus status) => status switch
    {
        CudaStatus.Success => "CUDA_SUCCESS",
        CudaStatus.NoBinaryForGpu => "CUDA_ERROR_NO_BINARY_FOR_GPU",
        _ => "CUDA_ERROR_" + Upper(status.ToString()),
    };

    private static string Upper(string name) => string.Concat(name.Select((c, i) => char.IsUpper(c) && i > 0 ? $"_{c}" : $"{char.ToUpperInvariant(c)}"));

    private static string CudaInclude()
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } set ? set : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        var include = new[] { Path.Combine(cache, "grpcrec/cuda-11.8/include"), "/usr/local/cuda/include" }.FirstOrDefault(folder => File.Exists(Path.Combine(folder, "cuda.h")));
        StandIn.Require(include is not null, "needs NVIDIA's cuda.h: native/scripts/get-nvcc.sh");
        return include!;
    }

    private static void Compile(string source, string include)
    {
        var file = Path.Combine(Path.GetTempPath(), $"grpcrec-contract-{Guid.NewGuid():N}.cpp");
        File.WriteAllText(file, source);
        try
        {
            var start = new ProcessStartInfo("c++", ["-std=c++17", "-fsyntax-only", "-isystem", include, file]) { RedirectStandardError = true };
            Process? compiler = null;
            try
            {
                compiler = Process.Start(start);
            }
            catch (System.ComponentModel.Win32Exception)
            {
                StandIn.Require(false, "needs a C++ compiler named c++");
            }

            using var running = compiler!;
            var errors = running.StandardError.ReadToEnd();
            running.WaitForExit();
            Assert.True(running.ExitCode == 0, errors);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
