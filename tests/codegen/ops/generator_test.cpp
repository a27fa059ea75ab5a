#include "codegen/generator.h"

#include <algorithm>

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "codegen/kernel/text.h"
#include "codegen/tile/tile.h"
#include "runtime/bucket/key_space.h"
#include "runtime/ops/schema.h"

namespace tailor {
namespace {

Key key_of(OpId op, Emitter emitter, Arch arch = Arch::kSm90a, Lowering lowering = Lowering::kTail) {
  return enumerate_keys({op, arch, emitter, lowering, 2, 48, 8, 128}).value().front();
}

class GeneratorTest : public testing::Test {
 protected:
  bool has(const std::string& name) {
    for (const ToolStatus& tool : generator_->tools()) {
      if (tool.name == name) return tool.found;
    }
    return false;
  }
  std::unique_ptr<KernelGenerator> generator_ = codegen::make_generator({});
};

TEST_F(GeneratorTest, EmitsTextPlanPremisesAndPhases) {
  for (OpId op : {OpId::kPagedGather, OpId::kPagedAppend}) {
    for (Emitter emitter : {Emitter::kLlvm, Emitter::kNvrtc}) {
      const Key key = key_of(op, emitter);
      const Expected<EmittedKernel> kernel = generator_->emit(key);
      ASSERT_TRUE(kernel.ok()) << kernel.status().to_string();
      EXPECT_EQ(kernel->entry, entry_symbol(op));
      EXPECT_NE(kernel->text.find(kernel->entry), std::string::npos);
      EXPECT_TRUE(validate(kernel->plan, static_cast<int>(symbols_of(op).size())).ok());
      EXPECT_FALSE(kernel->premises.empty());
      std::vector<std::string> phases;
      for (const auto& [name, ms] : kernel->phases) phases.push_back(name);
      EXPECT_EQ(phases, (std::vector<std::string>{"derive", "lower", "prove", "emit"}));
    }
  }
}

// A caller without a status word gets a kernel without a trace of reporting, and only such a caller may run it.
TEST_F(GeneratorTest, AKernelThatDoesNotReportHasNoCodeForIt) {
  for (int i = 0; i < kOpCount; ++i) {
    const auto op = static_cast<OpId>(i);
    const auto symbols = symbols_of(op);
    const auto word = std::find_if(symbols.begin(), symbols.end(),
                                   [](const SymbolSpec& symbol) { return symbol.name == "status_word"; });
    if (word == symbols.end()) continue;
    const Fact none = Fact::exact(static_cast<uint16_t>(word - symbols.begin()), 0);
    for (const Emitter emitter : {Emitter::kLlvm, Emitter::kNvrtc}) {
      StaticConfiguration c{op, Arch::kSm90a, emitter, Lowering::kTail, 2, 16, 2, 64};
      c.source_type = c.target_type = DType::kFloat16;
      c.rotary_dim = 64;
      for (const bool reports : {true, false}) {
        c.reports = reports;
        const auto kernel = generator_->emit(enumerate_keys(c).value().back());
        ASSERT_TRUE(kernel.ok()) << to_string(op) << ": " << kernel.status().to_string();
        EXPECT_TRUE(kernel->unproved.empty()) << to_string(op);
        const bool promised =
            std::find(kernel->premises.begin(), kernel->premises.end(), none) != kernel->premises.end();
        EXPECT_EQ(promised, !reports) << to_string(op);
        EXPECT_EQ(
            generator_->show(enumerate_keys(c).value().back(), Stage::kKernel)->find("atomic") != std::string::npos,
            reports)
            << to_string(op);
      }
    }
  }
}

// Equal keys give equal text, whatever was emitted before: the text is a cache key.
TEST_F(GeneratorTest, TextIsAFunctionOfTheKey) {
  const Key a = key_of(OpId::kPagedGather, Emitter::kLlvm), b = key_of(OpId::kPagedAppend, Emitter::kNvrtc);
  const std::string first = generator_->emit(a)->text, other = generator_->emit(b)->text;
  EXPECT_EQ(generator_->emit(a)->text, first);
  EXPECT_EQ(codegen::make_generator({})->emit(b)->text, other);
}

TEST_F(GeneratorTest, CompilesToPtxWithAndWithoutLocations) {
  const EmittedKernel emitted = generator_->emit(key_of(OpId::kPagedGather, Emitter::kLlvm)).value();
  const Expected<CompiledKernel> compiled = generator_->compile(emitted, false);
  ASSERT_TRUE(compiled.ok()) << compiled.status().to_string();
  EXPECT_NE(compiled->annotated_ptx.find(".loc"), std::string::npos);
  EXPECT_EQ(compiled->ptx.find(".loc"), std::string::npos);
  EXPECT_EQ(compiled->cubin.empty(), !has("nvJitLink"));
  EXPECT_EQ(compiled->cubin_missing.empty(), has("nvJitLink"));
  EXPECT_GE(compiled->minimum_driver, 11000u);
}

TEST_F(GeneratorTest, BothEmittersReachACubinOnBothArchitectures) {
  for (Emitter emitter : {Emitter::kLlvm, Emitter::kNvrtc}) {
    if (!has("nvJitLink") || (emitter == Emitter::kNvrtc && !has("NVRTC")))
      GTEST_SKIP() << "CUDA libraries are missing";
    for (Arch arch : {Arch::kSm80, Arch::kSm90a}) {
      for (OpId op : {OpId::kPagedGather, OpId::kPagedAppend}) {
        const EmittedKernel emitted = generator_->emit(key_of(op, emitter, arch)).value();
        const Expected<CompiledKernel> compiled = generator_->compile(emitted, true);
        ASSERT_TRUE(compiled.ok()) << compiled.status().to_string();
        EXPECT_EQ(compiled->cubin.substr(0, 4),
                  "\x7f"
                  "ELF");
        EXPECT_NE(compiled->ptx.find(emitted.entry), std::string::npos);
        EXPECT_GE(compiled->minimum_driver, 12000u);
      }
    }
  }
}

TEST_F(GeneratorTest, ShowsEveryStage) {
  const Key key = key_of(OpId::kPagedGather, Emitter::kLlvm);
#define X(name, text)                                                        \
  {                                                                          \
    const Stage stage = Stage::name;                                         \
    if (stage != Stage::kCubin || has("nvJitLink")) {                        \
      const Expected<std::string> shown = generator_->show(key, stage);      \
      ASSERT_TRUE(shown.ok()) << text << ": " << shown.status().to_string(); \
      EXPECT_FALSE(shown->empty()) << text;                                  \
    }                                                                        \
  }
  TAILOR_STAGES(X)
#undef X
  // What is shown reads back.
  EXPECT_TRUE(codegen::tile::verify(codegen::tile::parse(*generator_->show(key, Stage::kTile)).value()).ok());
  const auto kernel = codegen::kernel::parse(*generator_->show(key, Stage::kKernel));
  ASSERT_TRUE(kernel.ok()) << kernel.status().to_string();
  EXPECT_TRUE(codegen::kernel::verify(*kernel).ok());
  std::string line = *generator_->show(key, Stage::kKey);
  line.pop_back();
  EXPECT_TRUE(parse_key(line).value() == key);
}

TEST_F(GeneratorTest, RefusesAForgedKeyAtEveryDoor) {
  Key key = key_of(OpId::kPagedGather, Emitter::kLlvm);
  key.set(KeyField::kHeadDim, 0);
  EXPECT_EQ(generator_->emit(key).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(generator_->show(key, Stage::kLayout).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(GeneratorTest, DigestIsHexAndNamesTheBuild) {
  const std::string digest = generator_->digest();
  EXPECT_EQ(digest.size(), 32u);
  EXPECT_TRUE(std::all_of(digest.begin(), digest.end(), [](char c) { return std::isxdigit(c); })) << digest;
}

// The shared library shows one symbol of ours, and what it makes works from outside.
TEST(Library, OpensByItsCName) {
  const std::string path = std::string(TAILOR_BINARY_DIR) + "/lib/libtailor_codegen.so";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  const auto create = reinterpret_cast<CreateGeneratorFunction>(dlsym(library, kCreateGeneratorSymbol));
  ASSERT_NE(create, nullptr);
  std::unique_ptr<KernelGenerator> generator(create(kGeneratorInterface, {}));
  ASSERT_NE(generator, nullptr);
  EXPECT_EQ(create(kGeneratorInterface - 1, {}), nullptr) << "a library of another build is refused";
  EXPECT_EQ(generator->digest(), codegen::make_generator({})->digest());
  const Expected<EmittedKernel> kernel = generator->emit(key_of(OpId::kPagedAppend, Emitter::kLlvm));
  EXPECT_TRUE(kernel.ok()) << kernel.status().to_string();
  EXPECT_EQ(dlsym(library, "_ZN6tailor8facts_ofERKNS_3KeyE"), nullptr) << "a second copy of the schema is visible";
}

}  // namespace
}  // namespace tailor
