// tailor_peer_counts: one problem on the virtual device, moved by Tailor's kernels and by PTX that others wrote; every
// byte compared with the host reference, everything counted. bench/peers/counts writes the plans and reads the answers.
//
//   tailor_peer_counts < plan.json > counts.json
//
// {"workload": {"op": "paged_append", "heads": 8, "head_dim": 128, "page_size": 16, "seq_lens": [5, 0, 17],
//               "tokens": 4, "dtype": "bf16", "layout": "nhd", "misalign": 0, "pad_row": 0},
//  "lowerings": ["pow2-mask", "guarded", "tail"],
//  "kernels": [{"name": "…", "ptx": "file", "entry": "symbol", "grid": [1, 1, 1], "block": [32, 1, 1],
//               "arguments": [{"pointer": "k"}, {"i32": 3}, {"i64": 3}, {"f32": 1.0}, {"null": 0},
//                             {"hex": "00…", "pointers": {"24": "k_pages"}}]}]}
//
// A pointer names an operand of the workload (runtime/cli/run/workload.h) or an array of bench/peers/operands.h. The
// answer has one {"name", "counters", "equal", "detail"} per lowering and per kernel, and "minimum_sectors". A kernel
// that the virtual device refuses or stops is an answer too ("error"); a bad plan ends with status 1 and a message.
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "bench/peers/operands.h"
#include "runtime/cli/counters_json.h"
#include "runtime/cli/device.h"
#include "runtime/cli/output.h"
#include "runtime/cli/run/placement.h"
#include "tailor/runtime.h"

namespace tailor::bench {
namespace {

using cli::Json;

Expected<cli::WorkloadOptions> read_workload(const Json& json) {
  cli::WorkloadOptions o;
  const auto op = parse_op(json.at("op").get<std::string>());
  const auto dtype = parse_dtype(json.at("dtype").get<std::string>());
  if (!op || !dtype) return invalid_argument(fmt::format("workload {}: no such op or dtype", json.dump()));
  o.op = *op;
  o.dtype = *dtype;
  o.heads = json.at("heads");
  o.head_dim = json.at("head_dim");
  o.page_size = json.at("page_size");
  o.seq_lens = json.at("seq_lens").get<std::vector<int64_t>>();
  o.tokens = json.value("tokens", int64_t{0});
  o.layout = json.value("layout", "nhd") == "hnd" ? PageLayout::kHeadMajor : PageLayout::kSlotMajor;
  o.misalign_bytes = json.value("misalign", int64_t{0});
  o.pad_row = json.value("pad_row", int64_t{0});
  o.seed = json.value("seed", uint64_t{1});
  return o;
}

// What one launch left behind.
struct Outcome {
  bool equal = false;
  std::string detail;
};

// A workload on the device with the arrays that peers want, for one launch.
class Stage {
 public:
  static Expected<std::unique_ptr<Stage>> set(const cli::Device& device, const cli::Workload& workload) {
    auto stage = std::make_unique<Stage>();
    stage->workload_ = workload;
    TAILOR_ASSIGN_OR_RETURN(stage->placement_, cli::Placement::place(device, stage->workload_));
    for (auto& [name, bytes] : derived_operands(workload)) {
      Derived& derived = stage->derived_[name];
      derived.bytes = std::move(bytes);
      TAILOR_ASSIGN_OR_RETURN(derived.buffer, cli::DeviceBuffer::allocate(device, derived.bytes.size() + 256));
      TAILOR_RETURN_IF_ERROR(derived.buffer.upload(derived.bytes));
    }
    return stage;
  }

  cli::Workload& workload() { return workload_; }

  Expected<uint64_t> address(const std::string& name) const {
    if (const auto found = derived_.find(name); found != derived_.end()) return found->second.buffer.address();
    for (const cli::HostOperand& operand : workload_.operands) {
      if (operand.name == name) return operand.view.address;
    }
    return invalid_argument(fmt::format("a plan points at '{}'; the workload has no such operand", name));
  }

  // `second` says that the kernel was given a second output, which must hold what packed must hold.
  Expected<Outcome> compare(bool second) const {
    const cli::Expectation expectation = expect(workload_);
    TAILOR_ASSIGN_OR_RETURN(const cli::CheckResult result, placement_.compare(workload_, expectation));
    Outcome outcome{result.mismatches == 0, result.first};
    if (!second) return outcome;
    const Derived& derived = derived_.at("second");
    std::vector<uint8_t> actual(derived.bytes.size());
    TAILOR_RETURN_IF_ERROR(derived.buffer.download(actual));
    if (actual != expectation.bytes.at("packed")) outcome = {false, "the second output differs"};
    return outcome;
  }

 private:
  struct Derived {
    std::vector<uint8_t> bytes;
    cli::DeviceBuffer buffer;
  };
  cli::Workload workload_;
  cli::Placement placement_;
  std::map<std::string, Derived> derived_;
};

Json answer(const std::string& name, const Outcome& outcome) {
  Json json{{"name", name}, {"equal", outcome.equal}, {"counters", cli::counters_json(virtual_device::counters())}};
  if (!outcome.detail.empty()) json["detail"] = outcome.detail;
  return json;
}

Expected<Json> run_ours(const cli::Device& device, Runtime& runtime, const cli::Workload& workload, Lowering lowering) {
  TAILOR_ASSIGN_OR_RETURN(const std::unique_ptr<Stage> stage, Stage::set(device, workload));
  LaunchOptions launch;
  launch.lowering = lowering;
  virtual_device::reset_counters();
  const Status launched = workload.op == OpId::kPagedGather ? runtime.launch(stage->workload().gather(), launch)
                                                            : runtime.launch(stage->workload().append(), launch);
  TAILOR_RETURN_IF_ERROR(device.explain(launched));
  TAILOR_ASSIGN_OR_RETURN(const Outcome outcome, stage->compare(false));
  return answer(std::string(to_string(lowering)), outcome);
}

// Argument values with addresses filled in; each in storage of its own.
Expected<std::vector<std::vector<uint8_t>>> pack_arguments(const Json& arguments, const Stage& stage) {
  std::vector<std::vector<uint8_t>> packed;
  const auto put = [&](const auto& value) {
    packed.emplace_back(sizeof(value));
    std::memcpy(packed.back().data(), &value, sizeof(value));
  };
  for (const Json& argument : arguments) {
    if (argument.contains("pointer")) {
      TAILOR_ASSIGN_OR_RETURN(const uint64_t address, stage.address(argument["pointer"]));
      put(address);
    } else if (argument.contains("null")) {
      put(uint64_t{0});
    } else if (argument.contains("i32")) {
      put(argument["i32"].get<int32_t>());
    } else if (argument.contains("i64")) {
      put(argument["i64"].get<int64_t>());
    } else if (argument.contains("f32")) {
      put(argument["f32"].get<float>());
    } else if (argument.contains("hex")) {
      const std::string& text = argument["hex"].get_ref<const std::string&>();
      std::vector<uint8_t> bytes;
      for (size_t i = 0; i + 1 < text.size(); i += 2) {
        bytes.push_back(static_cast<uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
      }
      for (const auto& [offset, name] : argument.at("pointers").items()) {
        TAILOR_ASSIGN_OR_RETURN(const uint64_t address, stage.address(name));
        const size_t at = std::stoul(offset);
        if (at + 8 > bytes.size()) return invalid_argument("a pointer lies outside its structure");
        std::memcpy(bytes.data() + at, &address, 8);
      }
      packed.push_back(std::move(bytes));
    } else {
      return invalid_argument(fmt::format("argument {}: pointer, null, i32, i64, f32 or hex", argument.dump()));
    }
  }
  return packed;
}

Expected<Json> run_peer(const cli::Device& device, const cli::Workload& workload, const Json& kernel) {
  TAILOR_ASSIGN_OR_RETURN(const std::unique_ptr<Stage> stage, Stage::set(device, workload));
  TAILOR_ASSIGN_OR_RETURN(auto arguments, pack_arguments(kernel.at("arguments"), *stage));
  std::ifstream file(kernel.at("ptx").get<std::string>(), std::ios::binary);
  const std::string ptx{std::istreambuf_iterator<char>(file), {}};
  const std::string entry = kernel.at("entry");
  const DriverTable& driver = device.driver();
  cu::CUlibrary library = nullptr;
  cu::CUkernel handle = nullptr;
  cu::CUfunction function = nullptr;
  TAILOR_RETURN_IF_ERROR(device.explain(check(
      driver, driver.cuLibraryLoadData(&library, ptx.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0), "load")));
  TAILOR_RETURN_IF_ERROR(check(driver, driver.cuLibraryGetKernel(&handle, library, entry.c_str()), entry));
  TAILOR_RETURN_IF_ERROR(check(driver, driver.cuKernelGetFunction(&function, handle), entry));
  std::vector<void*> pointers;
  for (std::vector<uint8_t>& argument : arguments) pointers.push_back(argument.data());
  cu::CUlaunchConfig config{};
  config.gridDimX = kernel.at("grid")[0], config.gridDimY = kernel["grid"][1], config.gridDimZ = kernel["grid"][2];
  config.blockDimX = kernel.at("block")[0], config.blockDimY = kernel["block"][1],
  config.blockDimZ = kernel["block"][2];
  // Compilers may load shared memory ahead of the branch that decides whether the value is wanted.
  const virtual_device::Options before = virtual_device::options();
  virtual_device::Options speculative = before;
  speculative.check_uninitialized = false;
  virtual_device::set_options(speculative);
  virtual_device::reset_counters();
  const Status launched = check(driver, driver.cuLaunchKernelEx(&config, function, pointers.data(), nullptr), entry);
  virtual_device::set_options(before);
  const Status unloaded = check(driver, driver.cuLibraryUnload(library), "unload");
  TAILOR_RETURN_IF_ERROR(device.explain(launched));
  TAILOR_RETURN_IF_ERROR(unloaded);
  bool second = false;
  for (const Json& argument : kernel["arguments"]) second = second || argument.value("pointer", "") == "second";
  TAILOR_ASSIGN_OR_RETURN(const Outcome outcome, stage->compare(second));
  return answer(kernel.at("name"), outcome);
}

Expected<Json> run_plan(const Json& plan) {
  TAILOR_ASSIGN_OR_RETURN(const cli::WorkloadOptions options, read_workload(plan.at("workload")));
  TAILOR_ASSIGN_OR_RETURN(const cli::Workload workload, make_workload(options));
  TAILOR_ASSIGN_OR_RETURN(const auto device, cli::Device::open(cli::DeviceChoice::kVirtual, 0));
  RuntimeOptions runtime_options;
  runtime_options.device = "virtual";
  TAILOR_ASSIGN_OR_RETURN(const auto runtime, Runtime::open(runtime_options));
  Json report{{"ours", Json::array()}, {"peers", Json::array()}};
  for (const Json& name : plan.at("lowerings")) {
    const auto lowering = parse_lowering(name.get<std::string>());
    if (!lowering) return invalid_argument(fmt::format("lowering {}: no such lowering", name.dump()));
    TAILOR_ASSIGN_OR_RETURN(Json one, run_ours(*device, *runtime, workload, *lowering));
    report["ours"].push_back(std::move(one));
  }
  for (const Json& kernel : plan.at("kernels")) {
    auto one = run_peer(*device, workload, kernel);
    report["peers"].push_back(one.ok() ? *one : Json{{"name", kernel.at("name")}, {"error", one.status().message()}});
  }
  report["rows"] = expect(workload).rows_moved;
  TAILOR_ASSIGN_OR_RETURN(const std::unique_ptr<Stage> stage, Stage::set(*device, workload));
  report["minimum_sectors"] = minimum_sectors(stage->workload());
  return report;
}

int main_of_counts() {
  const Json plan = Json::parse(std::cin, nullptr, false);
  if (plan.is_discarded()) {
    std::fputs("tailor_peer_counts: stdin holds no JSON\n", stderr);
    return 1;
  }
  const auto report = run_plan(plan);
  if (!report.ok()) {
    std::fprintf(stderr, "tailor_peer_counts: %s\n", report.status().message().c_str());
    return 1;
  }
  std::puts(report->dump(1).c_str());
  return 0;
}

}  // namespace
}  // namespace tailor::bench

int main() {
  try {
    return tailor::bench::main_of_counts();
  } catch (const std::exception& error) {  // nlohmann/json on a plan without a field
    std::fprintf(stderr, "tailor_peer_counts: %s\n", error.what());
    return 1;
  }
}
