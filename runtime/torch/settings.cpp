#include "runtime/torch/settings.h"

#include <fmt/format.h>

#include "runtime/torch/call.h"
#include "runtime/torch/runtimes.h"

namespace tailor::pytorch {
namespace {

// parse(text), or a message that lists what would have been accepted.
template <class Value>
Value chosen(const char* name, const std::string& text, std::optional<Value> parsed, const char* accepted) {
  if (!parsed) raise("configure", fmt::format("{} is \"{}\"; it must be one of {}", name, text, accepted));
  return *parsed;
}

#define X_ARCH(name, text, major, minor) " " text
#define X_CHOICE(name, text, what) " " text

class JsonObject {
 public:
  void add(std::string_view name, uint64_t value) { field(name, fmt::format("{}", value)); }
  void add(std::string_view name, double value) { field(name, fmt::format("{}", value)); }
  void add(std::string_view name, const JsonObject& value) { field(name, value.text()); }
  std::string text() const { return "{" + fields_ + "}"; }

 private:
  // Names are the library's own identifiers: nothing to escape.
  void field(std::string_view name, const std::string& value) {
    fields_ += fmt::format("{}\"{}\": {}", fields_.empty() ? "" : ", ", name, value);
  }
  std::string fields_;
};

template <class Enum, class Counts>
JsonObject by_name(const Counts& counts) {
  JsonObject object;
  for (size_t i = 0; i < counts.size(); ++i) object.add(to_string(static_cast<Enum>(i)), counts[i]);
  return object;
}

}  // namespace

void configure_runtimes(const std::string& cache_root, const std::vector<std::string>& library_folders,
                        bool cache_read_only, bool cache_durable, const std::string& arch, const std::string& emitter,
                        const std::string& lowering, const std::string& codegen_library, bool require_cubin,
                        int64_t learn_residues_after, const std::string& telemetry_path) {
  RuntimeOptions options;
  if (!arch.empty()) options.arch = chosen("arch", arch, parse_arch(arch), TAILOR_ARCHS(X_ARCH));
  options.emitter = chosen("emitter", emitter, parse_emitter(emitter), TAILOR_EMITTERS(X_CHOICE));
  options.lowering = chosen("lowering", lowering, parse_lowering(lowering), TAILOR_LOWERINGS(X_CHOICE));
  options.cache_root = cache_root;
  options.cache_read_only = cache_read_only;
  options.cache_durable = cache_durable;
  options.codegen_library = codegen_library;
  options.library_folders = library_folders;
  options.require_cubin = require_cubin;
  if (learn_residues_after < 0 || learn_residues_after > UINT32_MAX) {
    raise("configure", fmt::format("learn_residues_after is {}; it must lie in [0, 2^32)", learn_residues_after));
  }
  options.learn_residues_after = static_cast<uint32_t>(learn_residues_after);
  options.telemetry_path = telemetry_path;
  configure(std::move(options));
}

std::string runtime_stats(const torch::stable::Device& device) {
  DeviceIndex index;
  if (device.type() == torch::headeronly::DeviceType::CUDA) {
    index.ordinal = device.has_index() ? device.index() : 0;
  } else if (device.type() != torch::headeronly::DeviceType::CPU) {
    raise("stats", "device must be a CPU or CUDA device");
  }
  JsonObject object;
  if (const Runtime* runtime = open_runtime_of(index)) {
    const RuntimeStats stats = runtime->stats();
    object.add("launches", stats.launches);
    object.add("empty_launches", stats.empty_launches);
    object.add("failed_launches", stats.failed_launches);
    object.add("launches_by_tier", by_name<Tier>(stats.launches_by_tier));
    object.add("misses", by_name<MissReason>(stats.misses));
    object.add("fallbacks", by_name<Fallback>(stats.fallbacks));
    object.add("distinct_keys", stats.distinct_keys);
    object.add("kernels_compiled", stats.kernels_compiled);
    object.add("texts_shared", stats.texts_shared);
    JsonObject phases;
    for (const auto& [name, milliseconds] : stats.phase_ms) phases.add(name, milliseconds);
    object.add("phase_ms", phases);
  }
  return object.text();
}

}  // namespace tailor::pytorch
