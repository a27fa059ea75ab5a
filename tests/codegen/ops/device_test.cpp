// What both emitters wrote, executed on the virtual device and held against the plain reference, byte for byte: the
// same scenarios as the movement tests, so that lowered program, LLVM's PTX and NVRTC's PTX are three ways to one
// result.
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "codegen/generator.h"
#include "runtime/driver/driver.h"
#include "runtime/ops/schema.h"
#include "runtime/virtual_device/virtual_device.h"
#include "tests/codegen/movement/configurations.h"
#include "tests/codegen/movement/scenario.h"

namespace tailor {
namespace {

class Device {
 public:
  Device() : table_(virtual_device::driver_table()) {
    cu::CUdevice device = 0;
    cu::CUcontext context = nullptr;
    ok(table_->cuInit(0)) && ok(table_->cuDeviceGet(&device, 0)) &&
        ok(table_->cuDevicePrimaryCtxRetain(&context, device)) && ok(table_->cuCtxSetCurrent(context));
  }

  bool ok(cu::CUresult result) {
    const Status status = check(*table_, result, "virtual device");
    EXPECT_TRUE(status.ok()) << status.to_string();
    for (const auto& report : virtual_device::take_reports()) ADD_FAILURE() << virtual_device::to_string(report);
    return status.ok();
  }

  // Runs the kernel on a scenario and brings its memory back.
  bool run(const std::string& ptx, const std::string& entry, const LaunchPlan& plan, const Key& key,
           test::Scenario& scenario, const DeviceNumbers& numbers) {
    cu::CUlibrary library = nullptr;
    cu::CUkernel kernel = nullptr;
    cu::CUfunction function = nullptr;
    if (!ok(table_->cuLibraryLoadData(&library, ptx.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0))) return false;
    if (!ok(table_->cuLibraryGetKernel(&kernel, library, entry.c_str()))) return false;
    if (!ok(table_->cuKernelGetFunction(&function, kernel))) return false;
    struct Placed {
      cu::CUdeviceptr allocation, address;
      test::MemoryBlock* region;
    };
    std::vector<Placed> placed;
    std::vector<int64_t> symbols = scenario.symbols;
    const auto specs = symbols_of(key.op());
    for (auto& [name, region] : scenario.memory) {
      if (region.address == 0) continue;                        // no status word
      const uint64_t align = region.address & -region.address;  // kept: no better aligned than the key says
      cu::CUdeviceptr allocation = 0;
      if (!ok(table_->cuMemAlloc(&allocation, region.bytes.size() + align))) return false;
      const cu::CUdeviceptr address = allocation + align;
      if (!region.bytes.empty() && !ok(table_->cuMemcpyHtoD(address, region.bytes.data(), region.bytes.size()))) {
        return false;
      }
      for (size_t s = 0; s < specs.size(); ++s) {
        if (specs[s].name == name) symbols[s] = static_cast<int64_t>(address);
      }
      placed.push_back({allocation, address, &region});
    }
    const int64_t grid = evaluate(plan.grid[0], symbols, numbers);
    if (grid > 0 && !launch(function, plan, symbols, numbers, static_cast<unsigned>(grid))) return false;
    for (const Placed& p : placed) {
      auto& bytes = p.region->bytes;
      if (!bytes.empty() && !ok(table_->cuMemcpyDtoH(bytes.data(), p.address, bytes.size()))) return false;
      if (!ok(table_->cuMemFree(p.allocation))) return false;
    }
    return ok(table_->cuLibraryUnload(library));
  }

 private:
  bool launch(cu::CUfunction function, const LaunchPlan& plan, const std::vector<int64_t>& symbols,
              const DeviceNumbers& numbers, unsigned grid) {
    std::vector<int64_t> values = test::parameter_values(plan, symbols, numbers);
    std::vector<void*> pointers;
    for (int64_t& value : values) pointers.push_back(&value);  // little-endian: the low bytes come first
    cu::CUlaunchConfig config{};
    config.gridDimX = grid;
    config.gridDimY = config.gridDimZ = 1;
    config.blockDimX = plan.block[0];
    config.blockDimY = config.blockDimZ = 1;
    return ok(table_->cuLaunchKernelEx(&config, function, pointers.data(), nullptr));
  }

  const DriverTable* table_;
};

class OnDevice : public testing::TestWithParam<std::tuple<OpId, Emitter, Lowering>> {
 protected:
  bool can_run() {
    for (const ToolStatus& tool : generator_->tools()) {
      if (tool.name == "NVRTC" && !tool.found && std::get<1>(GetParam()) == Emitter::kNvrtc) return false;
    }
    return true;
  }

  void expect_exact(const Key& key, const test::ScenarioOptions& options, std::mt19937& random) {
    SCOPED_TRACE(to_string(key));
    const Expected<EmittedKernel> emitted = generator_->emit(key);
    ASSERT_TRUE(emitted.ok()) << emitted.status().to_string();
    const Expected<CompiledKernel> compiled = generator_->compile(*emitted, false);
    ASSERT_TRUE(compiled.ok()) << compiled.status().to_string();
    for (const bool hostile : {false, true}) {
      test::ScenarioOptions o = options;
      o.hostile = hostile;
      test::Scenario scenario = test::make_scenario(key, o, random);
      ASSERT_TRUE(device_.run(compiled->ptx, emitted->entry, emitted->plan, key, scenario, {3, 2}));
      if (scenario.open) continue;
      test::settle(scenario);
      for (const auto& [name, region] : scenario.expected) {
        EXPECT_TRUE(region.bytes == scenario.memory.at(name).bytes) << name << " differs, hostile " << hostile;
      }
    }
  }

  Device device_;
  std::unique_ptr<KernelGenerator> generator_ = codegen::make_generator({});
};

TEST_P(OnDevice, EveryByteIsTheReference) {
  if (!can_run()) GTEST_SKIP() << "NVRTC is missing";
  const auto [op, emitter, lowering] = GetParam();
  std::mt19937 random(21);
  // NVRTC takes a fifth of a second per kernel; it gets fewer of them.
  for (Arch arch : {Arch::kSm80, Arch::kSm90a}) {
    const std::vector<Key> keys = test::sample_keys(op, arch, emitter, lowering, emitter == Emitter::kLlvm ? 9 : 2);
    for (size_t i = 0; i < keys.size() && !HasFailure(); ++i) {
      test::ScenarioOptions options;
      options.rows = 21;
      options.other_rows = i % 3 == 0 ? 11 : 30;
      options.head_major = i % 2 == 1;
      expect_exact(keys[i], options, random);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, OnDevice,
                         testing::Combine(testing::Values(OpId::kPagedGather, OpId::kPagedAppend, OpId::kPack,
                                                          OpId::kUnpack, OpId::kGatherRows, OpId::kScatterRows,
                                                          OpId::kConcat, OpId::kSplit, OpId::kConvert,
                                                          OpId::kAppendRope),
                                          testing::Values(Emitter::kLlvm, Emitter::kNvrtc),
                                          testing::Values(Lowering::kTail, Lowering::kGuarded, Lowering::kPow2Mask)),
                         [](const auto& info) {
                           std::string name = std::string(to_string(std::get<0>(info.param))) + "_" +
                                              std::string(to_string(std::get<1>(info.param))) + "_" +
                                              std::string(to_string(std::get<2>(info.param)));
                           for (char& c : name) c = c == '-' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace tailor
