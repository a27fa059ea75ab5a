#include "codegen/generator.h"

#include <charconv>
#include <cstdlib>
#include <exception>
#include <mutex>

#include <fmt/format.h>
#include <isl/version.h>

#include "codegen/compile/compile.h"
#include "codegen/emit/emit.h"
#include "codegen/kernel/text.h"
#include "codegen/movement/discharge_guards.h"
#include "codegen/passes.h"
#include "codegen/stopwatch.h"
#include "runtime/ops/schema.h"
#include "runtime/ptx/printer.h"
#include "tailor_generator_digest_value.h"

namespace tailor::codegen {
namespace {

// PTX ISA version -> the driver that first accepts it, as cuDriverGetVersion counts (PTX ISA, "Release History").
constexpr struct {
  int major, minor;
  uint32_t driver;
} kPtxDrivers[] = {{7, 0, 11000}, {7, 1, 11010}, {7, 2, 11020}, {7, 3, 11030}, {7, 4, 11040},
                   {7, 5, 11050}, {7, 6, 11060}, {7, 7, 11070}, {7, 8, 11080}, {8, 0, 12000},
                   {8, 1, 12010}, {8, 2, 12020}, {8, 3, 12030}, {8, 4, 12040}, {8, 5, 12050},
                   {8, 6, 12070}, {8, 7, 12080}, {8, 8, 12090}, {9, 0, 13000}, {9, 1, 13010}};

// "major.minor" at the start of `text`; {0, 0} if there is none.
std::pair<int, int> parse_version(std::string_view text) {
  std::pair<int, int> version;
  const char* end = text.data() + text.size();
  const auto major = std::from_chars(text.data(), end, version.first);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return version;
  std::from_chars(major.ptr + 1, end, version.second);
  return version;
}

// The least driver for a PTX text; 0 when it names no version that is listed.
uint32_t driver_for_ptx(std::string_view ptx) {
  constexpr std::string_view kDirective = ".version ";
  const size_t at = ptx.find(kDirective);
  if (at == std::string_view::npos) return 0;
  const auto [major, minor] = parse_version(ptx.substr(at + kDirective.size()));
  for (const auto& row : kPtxDrivers) {
    if (row.major == major && row.minor == minor) return row.driver;
  }
  return 0;
}

// Cubins run on every driver of their toolkit's major version (CUDA Compatibility, "Minor Version Compatibility").
uint32_t driver_for_cubin(std::string_view toolkit) {
  return static_cast<uint32_t>(parse_version(toolkit).first) * 1000;
}

std::string plan_text(const Key& key, const movement::Lowered& lowered) {
  std::vector<std::string_view> names;
  for (const SymbolSpec& s : symbols_of(key.op())) names.push_back(s.name);
  std::string text = to_string(lowered.plan, names);
  if (!text.empty() && text.back() != '\n') text += '\n';
  text += "premises\n";
  for (const Fact& fact : lowered.premises) text += fmt::format("  {}\n", to_string(fact, names[fact.symbol]));
  return text;
}

ToolStatus tool(std::string name, const compile::LibraryInfo& info) {
  return {std::move(name), info.found, info.version, info.path, info.remedy};
}

// A pass must not throw, but its libraries may: what escapes becomes a Status at this door.
template <class T, class F>
Expected<T> guarded(const F& f) {
  try {
    return f();
  } catch (const std::exception& e) {
    return internal_error(fmt::format("the code generator failed: {}", e.what()));
  }
}

// See GeneratorOptions. mallopt(3), "Dynamic mmap threshold".
void keep_freed_heap() {
  void* volatile block = std::malloc(size_t{16} << 20);
  std::free(block);
}

class Generator : public KernelGenerator {
 public:
  explicit Generator(GeneratorOptions options) : options_(std::move(options)) { keep_freed_heap(); }

  std::string digest() const override { return TAILOR_GENERATOR_DIGEST; }

  Expected<EmittedKernel> emit(const Key& key) override {
    return guarded<EmittedKernel>([&]() -> Expected<EmittedKernel> {
      TAILOR_ASSIGN_OR_RETURN(Passes passes, run_passes(key));
      TAILOR_RETURN_IF_ERROR(passes.refusal);
      Stopwatch watch;
      EmittedKernel emitted;
      TAILOR_ASSIGN_OR_RETURN(emitted.text, key.emitter() == Emitter::kLlvm
                                                ? emit::emit_ptx(passes.lowered.program, key.arch())
                                                : emit::emit_cuda(passes.lowered.program, key.arch()));
      emitted.phases = std::move(passes.phases);
      emitted.phases.emplace_back("emit", watch.lap());
      emitted.entry = passes.lowered.program.entry;
      emitted.emitter = key.emitter();
      emitted.arch = key.arch();
      emitted.plan = std::move(passes.lowered.plan);
      emitted.premises = std::move(passes.lowered.premises);
      emitted.unproved = std::move(passes.unproved);
      return emitted;
    });
  }

  Expected<CompiledKernel> compile(const EmittedKernel& emitted, bool require_cubin) override {
    return guarded<CompiledKernel>([&]() -> Expected<CompiledKernel> {
      TAILOR_ASSIGN_OR_RETURN(CompiledKernel compiled, make_ptx(emitted));
      const Status linked = add_cubin(compiled, emitted);
      // A linker that rejects the PTX is an error on every device: it is the only assembler that sees what is emitted.
      if (linked.code() == StatusCode::kUnavailable && !require_cubin) {
        compiled.cubin_missing = linked.message();
      } else if (!linked.ok()) {
        return linked;
      }
      return compiled;
    });
  }

  Expected<std::string> show(const Key& key, Stage stage) override {
    return guarded<std::string>([&] { return show_stage(key, stage); });
  }

  std::string toolchain(Emitter emitter) override {
    const auto named = [](std::string_view name, const compile::LibraryInfo& info) {
      return fmt::format("{} {}", name, info.found ? info.version : "missing");
    };
    const std::string linker = named("nvJitLink", toolchain().nvjitlink());
    return emitter == Emitter::kLlvm ? linker : named("NVRTC", toolchain().nvrtc()) + ", " + linker;
  }

  std::vector<ToolStatus> tools() override {
    std::vector<ToolStatus> tools;
    tools.push_back({"LLVM", true, emit::llvm_version(), "", ""});
    std::string isl = isl_version();
    while (!isl.empty() && (isl.back() == '\n' || isl.back() == ' ')) isl.pop_back();
    tools.push_back({"isl", true, std::move(isl), "", ""});
    tools.push_back(tool("NVRTC", toolchain().nvrtc()));
    tools.push_back(tool("nvJitLink", toolchain().nvjitlink()));
    return tools;
  }

 private:
  compile::Toolchain& toolchain() {
    std::call_once(opened_, [&] { toolchain_ = compile::Toolchain::open(options_.library_folders); });
    return *toolchain_;
  }

  // Emitted text -> PTX, with and without its access ids.
  Expected<CompiledKernel> make_ptx(const EmittedKernel& emitted) {
    CompiledKernel compiled;
    Stopwatch watch;
    if (emitted.emitter == Emitter::kLlvm) {
      compiled.annotated_ptx = emitted.text;
      compiled.toolchain = "LLVM " + emit::llvm_version();
    } else {
      TAILOR_ASSIGN_OR_RETURN(compile::CudaOutput output,
                              toolchain().compile_cuda(emitted.text, emitted.arch, /*want_cubin=*/false));
      compiled.annotated_ptx = std::move(output.ptx);
      compiled.toolchain = "NVRTC " + toolchain().nvrtc().version;
      compiled.phases.emplace_back("nvrtc", watch.lap());
    }
    compiled.ptx = ptx::strip_locations(compiled.annotated_ptx);
    compiled.minimum_driver = driver_for_ptx(compiled.ptx);
    compiled.phases.emplace_back("strip", watch.lap());
    return compiled;
  }

  // The cubin of the stripped PTX; NVRTC makes its own where there is no nvJitLink.
  Status add_cubin(CompiledKernel& compiled, const EmittedKernel& emitted) {
    Stopwatch watch;
    if (emitted.emitter == Emitter::kNvrtc && !toolchain().nvjitlink().found) {
      TAILOR_ASSIGN_OR_RETURN(compile::CudaOutput output, toolchain().compile_cuda(emitted.text, emitted.arch, true));
      compiled.cubin = std::move(output.cubin);
      compiled.phases.emplace_back("nvrtc_cubin", watch.lap());
      compiled.minimum_driver = driver_for_cubin(toolchain().nvrtc().version);
      return {};
    }
    TAILOR_ASSIGN_OR_RETURN(compiled.cubin, toolchain().link_ptx(compiled.ptx, emitted.arch));
    compiled.phases.emplace_back("nvjitlink", watch.lap());
    const std::string version = toolchain().nvjitlink().version;
    compiled.toolchain += ", nvJitLink " + version;
    compiled.minimum_driver = driver_for_cubin(version);
    return {};
  }

  Expected<std::string> show_stage(const Key& key, Stage stage) {
    TAILOR_RETURN_IF_ERROR(validate(key));
    switch (stage) {
      case Stage::kKey:
        return to_string(key) + "\n";
      case Stage::kPtx:
      case Stage::kCubin: {
        TAILOR_ASSIGN_OR_RETURN(const EmittedKernel emitted, emit(key));
        TAILOR_ASSIGN_OR_RETURN(CompiledKernel compiled, make_ptx(emitted));
        if (stage == Stage::kPtx) return std::move(compiled.annotated_ptx);
        TAILOR_RETURN_IF_ERROR(add_cubin(compiled, emitted));
        return std::move(compiled.cubin);
      }
      default:
        break;
    }
    TAILOR_ASSIGN_OR_RETURN(const Passes passes, run_passes(key, stage == Stage::kProof));
    switch (stage) {
      case Stage::kLayout:
        return movement::explain(passes.tile, passes.lowered.rows);
      case Stage::kTile:
        return tile::print(passes.tile);
      case Stage::kKernel:
        return kernel::print(passes.lowered.program);
      case Stage::kLlvm:
        return emit::emit_llvm_ir(passes.lowered.program, key.arch());
      case Stage::kCuda:
        return emit::emit_cuda(passes.lowered.program, key.arch());
      case Stage::kPlan:
        return plan_text(key, passes.lowered);
      case Stage::kProof:
        return prove::to_json(passes.proof);
      default:
        return invalid_argument(fmt::format("stage {} does not exist", static_cast<int>(stage)));
    }
  }

  GeneratorOptions options_;
  std::once_flag opened_;
  std::shared_ptr<compile::Toolchain> toolchain_;
};

}  // namespace

std::unique_ptr<KernelGenerator> make_generator(const GeneratorOptions& options) {
  return std::make_unique<Generator>(options);
}

}  // namespace tailor::codegen

tailor::KernelGenerator* tailor_create_kernel_generator(uint64_t interface, const tailor::GeneratorOptions& options) {
  if (interface != tailor::kGeneratorInterface) return nullptr;
  try {
    return tailor::codegen::make_generator(options).release();
  } catch (const std::exception&) {
    return nullptr;
  }
}
