// Modules, functions and launches.
#include <algorithm>
#include <cstring>
#include <mutex>

#include "entry.h"
#include "fatbin.h"

using namespace grsim;

namespace {

constexpr int kReservedShared = 1024;  // of a block, by the system, from capability 8.0 on

/// Variables of the module in device memory, with their initial values.
Addresses PlaceVariables(const Unit& unit) {
  Addresses addresses;
  for (const Variable& variable : unit.variables) {
    if (variable.space != Space::Global && variable.space != Space::Const) continue;
    const uint64_t address = Driver::Get().memory.Allocate(static_cast<uint64_t>(std::max<int64_t>(variable.bytes, 1)), Settings::Get().memory, false);
    if (address == 0) throw std::bad_alloc();
    std::memset(reinterpret_cast<void*>(address), 0, static_cast<size_t>(variable.bytes));
    std::memcpy(reinterpret_cast<void*>(address), variable.initial.data(), std::min<size_t>(variable.initial.size(), static_cast<size_t>(variable.bytes)));
    addresses[variable.name] = address;
  }
  return addresses;
}

using Programs = std::map<std::string, std::shared_ptr<const Program>>;

/// All kernels of a PTX text. One that was decoded before is kept, unless its variables bind it to addresses: tests load the same
/// kernels hundreds of times.
Programs DecodeAll(const std::string& ptx, Addresses& addresses) {
  static std::mutex mutex;
  static auto& known = *new std::map<std::string, Programs>;
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(ptx); found != known.end()) return found->second;
  const Unit unit = Parse(ptx);
  addresses = PlaceVariables(unit);
  Programs programs;
  for (const Kernel& kernel : unit.kernels) programs[kernel.name] = Decode(unit, kernel, addresses);
  if (addresses.empty()) known[ptx] = programs;
  return programs;
}

bool IsKnown(CUfunction function) { return Driver::Get().Known(Driver::Get().functions, reinterpret_cast<Function*>(function)); }

int SharedLimit() { return Settings::Get().capability().shared_per_block << 10; }

}  // namespace

GRSIM_API cuModuleLoadData(CUmodule* module, const void* image) {
  GRSIM_ENTER(true);
  Driver& driver = Driver::Get();
  FatbinChoice choice = Choose(image, Settings::Get().capability().number);
  if (choice.ptx.empty()) {
    driver.Tell(choice.error);
    return CUDA_ERROR_NO_BINARY_FOR_GPU;
  }
  auto loaded = std::make_unique<Module>();
  try {
    for (auto& [name, program] : DecodeAll(choice.ptx, loaded->addresses)) {
      auto function = std::make_unique<Function>();
      function->module = loaded.get();
      function->program = program;
      if (const auto found = choice.registers.find(name); found != choice.registers.end() && found->second > 0) function->registers = found->second;
      loaded->functions[name] = std::move(function);
    }
  } catch (const PtxError& error) {
    driver.Tell("sm_" + std::to_string(choice.architecture) + ": " + error.what());
    for (const auto& [name, address] : loaded->addresses) driver.memory.Free(address, false);
    return CUDA_ERROR_INVALID_PTX;
  } catch (const std::bad_alloc&) {
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  for (auto& [name, function] : loaded->functions) driver.Add(driver.functions, function.get());
  *module = reinterpret_cast<CUmodule>(driver.Add(driver.modules, loaded.release()));
  return CUDA_SUCCESS;
}

GRSIM_API cuModuleUnload(CUmodule module) {
  GRSIM_ENTER(true);
  Driver& driver = Driver::Get();
  auto* known = reinterpret_cast<Module*>(module);
  if (!driver.Remove(driver.modules, known)) return CUDA_ERROR_INVALID_HANDLE;
  driver.WaitForAll();
  for (const auto& [name, function] : known->functions) driver.Remove(driver.functions, function.get());
  for (const auto& [name, address] : known->addresses) driver.memory.Free(address, false);
  delete known;
  return CUDA_SUCCESS;
}

GRSIM_API cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  GRSIM_ENTER(true);
  auto* known = reinterpret_cast<Module*>(module);
  if (!Driver::Get().Known(Driver::Get().modules, known)) return CUDA_ERROR_INVALID_HANDLE;
  const auto found = known->functions.find(name);
  if (found == known->functions.end()) return CUDA_ERROR_NOT_FOUND;
  *function = reinterpret_cast<CUfunction>(found->second.get());
  return CUDA_SUCCESS;
}

GRSIM_API cuFuncSetAttribute(CUfunction function, CUfunction_attribute attribute, int value) {
  GRSIM_ENTER(true);
  if (!IsKnown(function)) return CUDA_ERROR_INVALID_HANDLE;
  auto* known = reinterpret_cast<Function*>(function);
  if (static_cast<int>(attribute) != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_ERROR_NOT_SUPPORTED;
  if (value < 0 || value + static_cast<int>(known->program->static_shared) > SharedLimit()) return CUDA_ERROR_INVALID_VALUE;
  known->max_dynamic_shared = value;
  return CUDA_SUCCESS;
}

GRSIM_API cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction function) {
  GRSIM_ENTER(true);
  if (!IsKnown(function)) return CUDA_ERROR_INVALID_HANDLE;
  const auto* known = reinterpret_cast<const Function*>(function);
  switch (static_cast<int>(attribute)) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = known->program->max_threads; break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = static_cast<int>(known->program->static_shared); break;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: *value = static_cast<int>(known->program->local_bytes); break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = known->registers; break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = known->max_dynamic_shared; break;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

GRSIM_API cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction function, int threads, size_t dynamic_shared) {
  GRSIM_ENTER(true);
  if (!IsKnown(function) || threads <= 0) return CUDA_ERROR_INVALID_VALUE;
  const auto* known = reinterpret_cast<const Function*>(function);
  const Capability& capability = Settings::Get().capability();
  const int warps = (threads + 31) / 32;
  // Registers are given to warps in pieces of 256.
  const int registers = (known->registers * 32 + 255) / 256 * 256 * warps;
  const int shared = static_cast<int>(known->program->static_shared + dynamic_shared) + (capability.number >= 80 ? kReservedShared : 0);
  *blocks = std::min({capability.blocks_per_multiprocessor, capability.threads_per_multiprocessor / (warps * 32), 65536 / registers,
                      shared > 0 ? (capability.shared_per_multiprocessor << 10) / shared : capability.blocks_per_multiprocessor});
  return CUDA_SUCCESS;
}

GRSIM_API cuLaunchKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z, unsigned int block_x, unsigned int block_y,
                         unsigned int block_z, unsigned int dynamic_shared, CUstream stream, void** parameters, void** extra) {
  GRSIM_ENTER(true);
  if (!IsKnown(function)) return CUDA_ERROR_INVALID_HANDLE;
  if (extra != nullptr) return CUDA_ERROR_NOT_SUPPORTED;
  const auto* known = reinterpret_cast<const Function*>(function);
  const Program& program = *known->program;
  const uint64_t threads = uint64_t{block_x} * block_y * block_z;
  if (grid_x == 0 || grid_y == 0 || grid_z == 0 || grid_x > 0x7FFFFFFFu || grid_y > 65535 || grid_z > 65535 || threads == 0 || threads > 1024) return CUDA_ERROR_INVALID_VALUE;
  if (static_cast<int>(threads) > program.max_threads || uint64_t{(static_cast<uint64_t>(known->registers) * 32 + 255) / 256 * 256} * ((threads + 31) / 32) > 65536) return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
  if (static_cast<int>(dynamic_shared) > known->max_dynamic_shared || (known->max_dynamic_shared <= 48 << 10 && dynamic_shared + program.static_shared > 48u << 10)) return CUDA_ERROR_INVALID_VALUE;
  auto launch = std::make_shared<Launch>();
  launch->program = &program;
  std::copy_n(std::initializer_list<uint32_t>{grid_x, grid_y, grid_z}.begin(), 3, launch->grid);
  std::copy_n(std::initializer_list<uint32_t>{block_x, block_y, block_z}.begin(), 3, launch->block);
  launch->dynamic_shared = dynamic_shared;
  launch->parameters.resize(program.parameter_bytes);
  for (size_t i = 0; i < program.parameters.size(); ++i) std::memcpy(&launch->parameters[program.parameters[i].offset], parameters[i], program.parameters[i].bytes);
  launch->memory = &Driver::Get().memory;
  return Enqueue(stream, [launch] {
    Driver& driver = Driver::Get();
    ++driver.counters.launches;
    if (const int injected = Settings::Get().Injected("kernel"); injected != 0) return injected;
    launch->options = Settings::Get().launch;
    const auto fault = Run(*launch);
    if (!fault) return 0;
    driver.Tell(fault->what);
    return fault->code;
  });
}
