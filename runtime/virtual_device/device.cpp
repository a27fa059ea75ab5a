#include "runtime/virtual_device/device.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "runtime/ptx/parser.h"
#include "runtime/virtual_device/decode.h"

namespace tailor::virtual_device {
namespace {

// "sm_90a" → 90, 'a'.
bool parse_target(std::string_view target, uint32_t& number, char& suffix) {
  if (target.substr(0, 3) != "sm_") return false;
  number = 0;
  suffix = 0;
  for (char c : target.substr(3)) {
    if (c >= '0' && c <= '9' && suffix == 0 && number < 1000) {
      number = number * 10 + static_cast<uint32_t>(c - '0');
    } else if (suffix == 0) {
      suffix = c;
    } else {
      return false;
    }
  }
  return number != 0;
}

std::optional<LoadFailure> check_target(const Options& options, const std::string& target) {
  uint32_t number;
  char suffix;
  const uint32_t own = options.compute_major * 10 + options.compute_minor;
  if (!parse_target(target, number, suffix)) {
    return LoadFailure{ReportKind::kInvalidPtx, fmt::format(".target {} is no sm_ architecture", target)};
  }
  if (number > own || (suffix == 'a' && number != own)) {
    return LoadFailure{
        ReportKind::kWrongTarget,
        fmt::format("the PTX is for {}; the device is sm_{}{}", target, own,
                    suffix == 'a' ? " and architecture-specific code runs on its own architecture only" : "")};
  }
  return std::nullopt;
}

bool in_device_memory(const ptx::Variable& v) {
  return v.space == ptx::Space::kGlobal || v.space == ptx::Space::kConst;
}

// The address that a relocation refers to.
uint64_t relocation_value(const ptx::Module& module, const ptx::Relocation& r, const std::vector<uint64_t>& addresses) {
  uint64_t value = 0;
  if (r.symbol.kind == ptx::SymbolRef::Kind::kFunction) value = kFunctionBase + uint64_t{16} * r.symbol.index;
  if (r.symbol.kind == ptx::SymbolRef::Kind::kModuleVariable) {
    value = addresses[r.symbol.index];
    if (r.generic && ptx::is_shared_cta(module.variables[r.symbol.index].space)) value += kSharedWindow;
  }
  return (value + static_cast<uint64_t>(r.addend)) >> (8 * r.shift_bytes);
}

}  // namespace

Device& device() {
  static Device* const only = new Device;
  return *only;
}

void Device::report(Report r) {
  if (reports.size() < options.report_limit) {
    reports.push_back(std::move(r));
  } else {
    counters.dropped_reports += 1;
  }
}

Architecture architecture(const Options& options) {
  switch (options.compute_major * 10 + options.compute_minor) {
    case 80:
      return {2048, 32, 164 << 10, 163 << 10, 40 << 20};
    case 86:
      return {1536, 16, 100 << 10, 99 << 10, 6 << 20};
    case 89:
      return {1536, 24, 100 << 10, 99 << 10, 72 << 20};
    default:
      return {2048, 32, 228 << 10, 227 << 10, 50 << 20};
  }
}

uint32_t occupancy(const Options& options, const Program& program, uint32_t threads, uint32_t dynamic_shared) {
  const Architecture a = architecture(options);
  if (threads == 0 || threads > program.max_threads) return 0;
  const uint32_t warps = (threads + 31) / 32;
  const uint32_t shared = program.dynamic_shared_offset + dynamic_shared;
  if (shared > a.shared_per_block_optin) return 0;
  // Registers are given out per warp in units of 256.
  const uint32_t registers = std::max(1u, (program.registers * 32 + 255) / 256 * 256 * warps);
  return std::min({a.threads_per_multiprocessor / (warps * 32), a.blocks_per_multiprocessor,
                   a.shared_per_multiprocessor / (shared + kSharedReserved), kRegistersPerMultiprocessor / registers});
}

std::optional<LoadFailure> load_library(Device& device, std::string_view text, std::unique_ptr<Library>& out) {
  const auto parsed = ptx::parse(text);
  if (!parsed.ok()) {
    const Status status = parsed.status();
    return LoadFailure{
        status.code() == StatusCode::kUnsupported ? ReportKind::kUnsupportedPtx : ReportKind::kInvalidPtx,
        status.message()};
  }
  const ptx::Module& module = *parsed;
  if (auto wrong = check_target(device.options, module.target)) return wrong;
  if (module.address_size != 64) return LoadFailure{ReportKind::kUnsupportedPtx, "only .address_size 64 is executed"};
  if (!module.aliases.empty()) return LoadFailure{ReportKind::kUnsupportedPtx, ".alias is not executed"};

  auto library = std::make_unique<Library>();
  std::vector<uint64_t> addresses(module.variables.size(), 0);
  const auto fail = [&](ReportKind kind, std::string message) {
    unload_library(device, *library);
    return LoadFailure{kind, std::move(message)};
  };
  for (size_t v = 0; v < module.variables.size(); ++v) {
    const ptx::Variable& variable = module.variables[v];
    if (!in_device_memory(variable)) continue;
    if (variable.linkage == ptx::Linkage::kExtern) continue;  // an access to it is refused when decoding
    const Allocation* a =
        device.memory.allocate(std::max<uint64_t>(variable.bytes, 1), "variable " + variable.name, false);
    if (!a)
      return fail(ReportKind::kInvalidPtx,
                  fmt::format("no memory for variable {} of {} bytes", variable.name, variable.bytes));
    addresses[v] = a->begin;
    library->variables[variable.name] = a->begin;
    std::copy(variable.data.begin(), variable.data.end(), a->host);
  }
  for (size_t v = 0; v < module.variables.size(); ++v) {
    const ptx::Variable& variable = module.variables[v];
    if (addresses[v] == 0) continue;
    const Allocation* a = device.memory.find(addresses[v]);
    for (const ptx::Relocation& r : variable.relocations) {
      const uint64_t value = relocation_value(module, r, addresses);
      if (r.offset + r.bytes <= variable.bytes && r.bytes <= 8) std::memcpy(a->host + r.offset, &value, r.bytes);
    }
    device.memory.mark_module_variable(addresses[v], variable.space == ptx::Space::kConst);
  }
  for (uint32_t f = 0; f < module.functions.size(); ++f) {
    if (!module.functions[f].entry || !module.functions[f].defined) continue;
    auto program = decode(module, f, addresses, lane_table(device.options.portable_lanes));
    if (!program.ok()) return fail(ReportKind::kUnsupportedPtx, program.status().message());
    auto kernel = std::make_unique<Kernel>();
    kernel->program = std::move(*program);
    kernel->library = library.get();
    kernel->ptx_version = module.version[0] * 10u + module.version[1];
    const uint32_t fixed = kernel->program.dynamic_shared_offset;
    kernel->max_dynamic_shared = fixed < kSharedPerBlock ? kSharedPerBlock - fixed : 0;
    if (kernel->program.static_shared_bytes > kSharedPerBlock) {
      return fail(ReportKind::kInvalidPtx,
                  fmt::format("kernel {} has {} bytes of static shared memory; the limit is {}", kernel->program.name,
                              kernel->program.static_shared_bytes, kSharedPerBlock));
    }
    library->kernels.push_back(std::move(kernel));
  }
  out = std::move(library);
  return std::nullopt;
}

void unload_library(Device& device, const Library& library) {
  for (const auto& [name, address] : library.variables) device.memory.remove(address);
}

}  // namespace tailor::virtual_device
