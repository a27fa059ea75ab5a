#include <algorithm>
#include <memory>
#include <mutex>
#include <string_view>

#include <fmt/format.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Pass.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>
#include <llvm/Target/TargetOptions.h>

#include "codegen/emit/emit.h"
#include "codegen/emit/llvm_ir.h"
#include "codegen/kernel/expand_conversions.h"

namespace tailor::codegen::emit {
namespace {

constexpr const char* kTriple = "nvptx64-nvidia-cuda";
// sm_90a needs PTX ISA 8.0, and nothing here needs more; drivers from CUDA 12.0 (525.60) on accept it as PTX.
constexpr const char* kFeatures = "+ptx80";

Expected<std::unique_ptr<llvm::TargetMachine>> make_machine(Arch arch) {
  static const llvm::Target* target = nullptr;
  static std::string error;
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    target = llvm::TargetRegistry::lookupTarget(kTriple, error);
  });
  if (!target) return unavailable(fmt::format("LLVM {} has no NVPTX target: {}", LLVM_VERSION_STRING, error));
  std::unique_ptr<llvm::TargetMachine> machine(
      target->createTargetMachine(kTriple, std::string(to_string(arch)), kFeatures, llvm::TargetOptions(), std::nullopt,
                                  std::nullopt, llvm::CodeGenOptLevel::Default));
  // CodeGenOptLevel::Default: level None saves a third of what is left of the time, but leaves half as many
  // instructions more to ptxas, which costs more than it saves.
  if (!machine) return unavailable(fmt::format("LLVM {} cannot target {}", LLVM_VERSION_STRING, to_string(arch)));
  return machine;
}

// What the NVPTX target would run over the IR before it selects instructions, and that must not or need not run: the
// lowering has decided what is computed where, and ptxas optimises what is left. Measured on a gather kernel, these
// take more than half of LLVM's time (scalar evolution, most of it) and leave 243 instructions instead of 235.
constexpr std::string_view kUnwantedPasses[] = {
    "Canonicalize Freeze Instructions in Loops",
    "CodeGen Prepare",
    "Constant Hoisting",
    "Early CSE",
    "Expand memcmp() to load/stores",
    "GPU Load and Store Vectorizer",
    "Loop Strength Reduction",
    "Merge contiguous icmps into a memcmp",
    "Nary reassociation",
    "SROA",
    "Speculatively execute instructions",
    "Split GEPs to a variadic base and a constant offset for better CSE",
    "Straight line strength reduction",
};

// The target's own pipeline without the unwanted passes. A name that LLVM does not know drops nothing.
class Pipeline : public llvm::legacy::PassManager {
 public:
  void add(llvm::Pass* pass) override {
    const std::string_view name = pass->getPassName();
    if (std::find(std::begin(kUnwantedPasses), std::end(kUnwantedPasses), name) != std::end(kUnwantedPasses)) {
      delete pass;
    } else {
      llvm::legacy::PassManager::add(pass);
    }
  }
};

// Collects what LLVM would print or abort on.
class Diagnostics : public llvm::DiagnosticHandler {
 public:
  explicit Diagnostics(std::string& errors) : errors_(errors) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo& info) override {
    if (info.getSeverity() != llvm::DS_Error) return true;
    llvm::raw_string_ostream stream(errors_);
    llvm::DiagnosticPrinterRawOStream printer(stream);
    info.print(printer);
    stream << "\n";
    return true;
  }

 private:
  std::string& errors_;
};

}  // namespace

Expected<std::string> emit_llvm_ir(const kernel::Program& program, Arch arch) {
  TAILOR_RETURN_IF_ERROR(kernel::verify(program));
  TAILOR_ASSIGN_OR_RETURN(std::unique_ptr<llvm::TargetMachine> machine, make_machine(arch));
  llvm::LLVMContext context;
  const kernel::Program expanded = kernel::expand_conversions(program, arch);
  TAILOR_ASSIGN_OR_RETURN(std::unique_ptr<llvm::Module> module, build_module(expanded, context, *machine));
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream, nullptr);
  return text;
}

Expected<std::string> emit_ptx(const kernel::Program& program, Arch arch) {
  TAILOR_RETURN_IF_ERROR(kernel::verify(program));
  TAILOR_ASSIGN_OR_RETURN(std::unique_ptr<llvm::TargetMachine> machine, make_machine(arch));
  llvm::LLVMContext context;
  std::string errors;
  context.setDiagnosticHandler(std::make_unique<Diagnostics>(errors));
  const kernel::Program expanded = kernel::expand_conversions(program, arch);
  TAILOR_ASSIGN_OR_RETURN(std::unique_ptr<llvm::Module> module, build_module(expanded, context, *machine));

  llvm::SmallString<0> ptx;
  llvm::raw_svector_ostream stream(ptx);
  Pipeline passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::AssemblyFile))
    return compiler_error(fmt::format("kernel @{}: LLVM cannot write PTX for {}", program.entry, to_string(arch)));
  passes.run(*module);
  if (!errors.empty()) return compiler_error(fmt::format("kernel @{}: LLVM: {}", program.entry, errors));
  return std::string(ptx.str());
}

std::string llvm_version() { return LLVM_VERSION_STRING; }

}  // namespace tailor::codegen::emit
