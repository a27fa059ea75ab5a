// Loads libtailor_codegen on the first miss. Ownership: the library stays loaded for the life of the process, since
// LLVM's does not unload. Threads: any.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "runtime/ops/kernel_generator.h"
#include "runtime/ops/layout_tool.h"
#include "tailor/status.h"

namespace tailor {

// Opens `library_path` if given, else libtailor_codegen.so beside the binary that holds this code, in ../lib of that
// folder, or on the loader's path. Errors: kUnavailable naming what was tried and what to install.
Expected<std::shared_ptr<KernelGenerator>> load_generator(const std::string& library_path,
                                                          const GeneratorOptions& options);

// The layout engine of the same library, found the same way.
Expected<std::unique_ptr<LayoutTool>> load_layout_tool();

// The generator of a Runtime: given, or loaded when it is first asked for. A failure is not remembered.
class GeneratorSource {
 public:
  GeneratorSource(std::string library_path, GeneratorOptions options)
      : library_path_(std::move(library_path)), options_(std::move(options)) {}
  explicit GeneratorSource(std::shared_ptr<KernelGenerator> generator) : generator_(std::move(generator)) {}

  Expected<std::shared_ptr<KernelGenerator>> get();

 private:
  std::string library_path_;
  GeneratorOptions options_;
  std::mutex mutex_;
  std::shared_ptr<KernelGenerator> generator_;  // guarded by mutex_
};

}  // namespace tailor
