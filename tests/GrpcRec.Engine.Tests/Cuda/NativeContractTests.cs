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
    /// <summary>
    /// A type as a number, as <see cref="CodeOf"/> has it: bytes of an integer, negative where it has a sign (one byte: either) or is an
    /// enumeration; 11 for void*; 12 for a handle; 100 and what it points at.
    /// </summary>
    private const string Types = """
        #include <type_traits>
        template <class T> constexpr int Code() {
          if constexpr (std::is_pointer<T>::value) {
            using To = std::remove_cv_t<std::remove_pointer_t<T>>;
            if constexpr (std::is_void<To>::value) return 11;
            else if constexpr (std::is_class<To>::value) return 12;
            else return 100 + Code<To>();
          } else if constexpr (sizeof(T) == 1) return 1;
          else return std::is_enum<T>::value || std::is_signed<T>::value ? -static_cast<int>(sizeof(T)) : static_cast<int>(sizeof(T));
        }
        template <int... Expected, class R, class... A> constexpr bool Same(R (*)(A...)) {
          constexpr int expected[] = {Expected...}, actual[] = {Code<R>(), Code<A>()...};
          if (sizeof...(Expected) != sizeof...(A) + 1) return false;
          for (unsigned i = 0; i < sizeof...(Expected); ++i) if (expected[i] != actual[i]) return false;
          return true;
        }

        """;

    [SkippableFact]
    public void Binding_EverySignature_IsNvidias()
    {
        var source = new StringBuilder("#include <cuda.h>\n").Append(Types);
        foreach (var (name, types) in Functions())
            source.Append(Assertion(name, types));
        foreach (var status in Enum.GetValues<CudaStatus>())
            source.Append("static_assert(").Append(NativeName(status)).Append(" == ").Append((int)status).Append(", \"status\");\n");
        foreach (var attribute in Enum.GetValues<DeviceAttribute>())
            source.Append("static_assert(CU_DEVICE_ATTRIBUTE_").Append(Upper(attribute.ToString())).Append(" == ").Append((int)attribute).Append(", \"attribute\");\n");
        foreach (var attribute in Enum.GetValues<FunctionAttribute>())
            source.Append("static_assert(CU_FUNC_ATTRIBUTE_").Append(Upper(attribute.ToString())).Append(" == ").Append((int)attribute).Append(", \"attribute\");\n");
        AssertCompiles(source.ToString(), CudaInclude());
    }

    /// <summary>For every function and each of its types: another size, another sign, a pointer more. Only the assertion may object.</summary>
    [SkippableFact]
    public void Binding_WrongSignature_DoesNotCompile()
    {
        var source = new StringBuilder("#include <cuda.h>\n").Append(Types);
        var functions = Functions().Where(function => function.Types.Length > 1).ToArray();
        AssertCompiles(source + string.Concat(functions.Select(function => Assertion(function.Name, function.Types))), CudaInclude());
        var wrong = 0;
        foreach (var (name, types) in functions)
        {
            for (var at = 0; at < types.Length; at++)
            {
                foreach (var other in new[] { 2 * types[at], -types[at], types[at] + 100 })
                    source.Append(Assertion(name, types.Select((type, n) => n == at ? other : type), $"planted {wrong++} in {name}"));
            }
        }

        var errors = Compile(source.ToString(), CudaInclude());
        for (var n = 0; n < wrong; n++)
            Assert.Contains($"planted {n} in ", errors, StringComparison.Ordinal);
        Assert.Equal(wrong, errors.Split("error:").Length - 1);
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

        AssertCompiles(source.ToString(), Path.Combine(StandIn.RequireRoot(), "native/include"));
    }

    private static string Assertion(string function, IEnumerable<int> types, string? text = null) =>
        $"static_assert(Same<{string.Join(", ", types)}>(&{function}), \"{text ?? function}\");\n";

    /// <summary>Entry points with the codes of the result and of each parameter.</summary>
    private static IEnumerable<(string Name, int[] Types)> Functions() =>
        from method in typeof(CudaDriver).GetMethods(BindingFlags.Public | BindingFlags.Static)
        let import = method.GetCustomAttribute<LibraryImportAttribute>()
        where import is not null
        select (import.EntryPoint ?? method.Name, (int[])[CodeOf(method.ReturnType), .. method.GetParameters().Select(parameter => CodeOf(parameter.ParameterType))]);

    private static int CodeOf(Type type)
    {
        if (type.IsPointer)
            return type.GetElementType() is { } to && to != typeof(void) ? 100 + CodeOf(to) : 11;
        if (type == typeof(nint))
            return 12;
        if (type == typeof(nuint))
            return 8;
        if (type == typeof(byte))
            return 1;
        var plain = type.IsEnum ? type.GetEnumUnderlyingType() : type;
        return plain == typeof(int) || plain == typeof(long) ? -Marshal.SizeOf(plain) : Marshal.SizeOf(plain);
    }

    private static string NativeName(CudaStatus status) => status switch
    {
        CudaStatus.Success => "CUDA_SUCCESS",
        CudaStatus.NoBinaryForGpu => "CUDA_ERROR_NO_BINARY_FOR_GPU",
        _ => "CUDA_ERROR_" + Upper(status.ToString()),
    };

    private static string Upper(string name) => string.Concat(name.Select((c, i) => char.IsUpper(c) && i > 0 ? $"_{c}" : $"{char.ToUpperInvariant(c)}"));

    /// <summary>The header of the nvcc that CMake has built with; before a build, of the one that get-nvcc.sh has fetched.</summary>
    private static string CudaInclude()
    {
        const string Entry = "GRPCREC_CUDA_INCLUDE:INTERNAL=";
        var settings = Path.Combine(StandIn.BuildFolder, "CMakeCache.txt");
        var built = File.Exists(settings) ? File.ReadLines(settings).FirstOrDefault(line => line.StartsWith(Entry, StringComparison.Ordinal))?[Entry.Length..] : null;
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } set ? set : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        var include = new[] { built, Path.Combine(cache, "grpcrec/cuda-11.8/include") }.FirstOrDefault(folder => folder is not null && File.Exists(Path.Combine(folder, "cuda.h")));
        StandIn.Require(include is not null, "needs NVIDIA's cuda.h: native/scripts/get-nvcc.sh");
        return include!;
    }

    private static void AssertCompiles(string source, string include)
    {
        var errors = Compile(source, include);
        Assert.True(errors.Length == 0, errors);
    }

    /// <returns>What the compiler objects to; empty: nothing.</returns>
    private static string Compile(string source, string include)
    {
        var file = Path.Combine(Path.GetTempPath(), $"grpcrec-contract-{Guid.NewGuid():N}.cpp");
        File.WriteAllText(file, source);
        try
        {
            // "error:" in English.
            var start = new ProcessStartInfo("c++", ["-std=c++17", "-fsyntax-only", "-fmax-errors=0", "-isystem", include, file]) { RedirectStandardError = true };
            start.Environment["LC_ALL"] = "C.UTF-8";
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
            Assert.Equal(running.ExitCode == 0, errors.Length == 0);
            return errors;
        }
        finally
        {
            File.Delete(file);
        }
    }
}
