// The inside of a Runtime, for the command, the tests and the benches: parts given instead of opened, and what it
// holds.
//
// Ownership: the driver table and the file system outlive the Runtime. Threads: as Runtime.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cache/file_system.h"
#include "runtime/driver/driver.h"
#include "runtime/ops/kernel_generator.h"
#include "tailor/runtime.h"

namespace tailor {

// What Runtime::open would find out for itself; null or empty members are opened the plain way.
struct RuntimeParts {
  const DriverTable* driver = nullptr;         // instead of RuntimeOptions::device
  std::shared_ptr<KernelGenerator> generator;  // instead of libtailor_codegen; its digest goes into the keys
  std::string generator_digest;                // instead of the generator's, or of the build's
  std::shared_ptr<cache::FileSystem> file_system;
};

struct RuntimeAccess {
  static Expected<std::unique_ptr<Runtime>> open(const RuntimeOptions& options, RuntimeParts parts);
  static const DriverTable& driver(const Runtime& runtime);
  static cu::CUcontext context(const Runtime& runtime);
};

}  // namespace tailor
