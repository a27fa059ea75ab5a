// Operators without tensors: how Runtimes are opened, and what they counted.
#pragma once

#include <string>
#include <vector>

#include <torch/csrc/stable/device_struct.h>

namespace tailor::pytorch {

// X(function below, operator, schema after its name)
#define TAILOR_TORCH_SETTINGS(X)                                                                                       \
  X(configure_runtimes, "configure",                                                                                   \
    "(str cache_root, str[] library_folders, *, bool cache_read_only=False, bool cache_durable=False, "                \
    "str arch=\"\", str emitter=\"llvm\", str lowering=\"tail\", str codegen_library=\"\", bool require_cubin=False, " \
    "int learn_residues_after=64, str telemetry_path=\"\") -> ()")                                                     \
  X(runtime_stats, "stats", "(Device device) -> str")

// As RuntimeOptions; an empty arch is the device's own. Holds for the Runtimes that are opened from now on: later
// launches use new ones. Errors: an unknown arch, emitter or lowering.
void configure_runtimes(const std::string& cache_root, const std::vector<std::string>& library_folders,
                        bool cache_read_only, bool cache_durable, const std::string& arch, const std::string& emitter,
                        const std::string& lowering, const std::string& codegen_library, bool require_cubin,
                        int64_t learn_residues_after, const std::string& telemetry_path);

// RuntimeStats of the device's Runtime as a JSON object; "{}" when no operation ran there since `configure`.
std::string runtime_stats(const torch::stable::Device& device);

}  // namespace tailor::pytorch
