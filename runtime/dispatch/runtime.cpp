#include "tailor/runtime.h"

#include <exception>
#include <string_view>

#include <fmt/format.h>

#include "runtime/dispatch/generator_digest.h"
#include "runtime/dispatch/generator_loader.h"
#include "runtime/dispatch/kernel_loader.h"
#include "runtime/dispatch/key_history.h"
#include "runtime/dispatch/residue_counts.h"
#include "runtime/dispatch/resolver.h"
#include "runtime/dispatch/runtime_access.h"
#include "runtime/dispatch/single_flight.h"
#include "runtime/dispatch/specialization_table.h"
#include "runtime/ops/problem.h"
#include "runtime/telemetry/telemetry.h"

namespace tailor {
namespace {

struct KeyHash {
  size_t operator()(const Key& key) const { return static_cast<size_t>(key.hash()); }
};

Expected<const DriverTable*> open_driver(const RuntimeOptions& options) {
  if (options.device == "cuda") return open_cuda_driver();
  if (options.device == "virtual") return open_virtual_driver(options.virtual_library);
  return invalid_argument(fmt::format("device is \"{}\"; it must be \"cuda\" or \"virtual\"", options.device));
}

[[gnu::cold, gnu::noinline]] Status forked_error() {
  return Status(StatusCode::kUnavailable,
                "this Runtime was opened before fork; the child process must open one of its own");
}

}  // namespace

struct Runtime::Impl {
  // What every thread that asked for a key gets when it is resolved.
  struct Resolution {
    const LaunchableKernel* kernel = nullptr;  // null: `status` says why
    Status status;
    std::shared_ptr<const MissReport> report;  // null: the table had it by then
  };

  Impl(const RuntimeOptions& options, std::unique_ptr<KernelLoader> kernel_loader,
       std::unique_ptr<GeneratorSource> source, std::unique_ptr<cache::Store> disk, Status disk_status,
       std::unique_ptr<EventSink> sink, ResolverOptions resolver_options, Arch default_arch)
      : loader(std::move(kernel_loader)),
        driver(loader->driver()),
        context(loader->context()),
        arch(default_arch),
        emitter(options.emitter),
        lowering(options.lowering),
        generators(std::move(source)),
        store(std::move(disk)),
        store_status(std::move(disk_status)),
        telemetry(std::move(sink)),
        resolver(*loader, store.get(), *generators, std::move(resolver_options)),
        residues(options.learn_residues_after) {}

  template <class Operands>
  Status launch(const Operands& operands, const LaunchOptions& options, bool warm_only);
  Status run(const LaunchableKernel& kernel, const Problem& problem, void* stream);
  Status miss(const Key& key, const Problem& problem, const LaunchOptions& options, bool warm_only);
  Resolution resolve(const Key& key, void* stream);
  void unlearn(const Key& key, const Problem& problem, void* stream, Resolution& resolution);
  Status empty(const Key& key, const LaunchOptions& options);
  Status refuse(const LaunchOptions& options, Status status);

  const std::unique_ptr<KernelLoader> loader;  // outlives the kernels of the table
  const DriverTable& driver;
  const cu::CUcontext context;
  const Arch arch;
  const Emitter emitter;
  const Lowering lowering;
  const std::unique_ptr<GeneratorSource> generators;
  const std::unique_ptr<cache::Store> store;  // null: no disk tier
  const Status store_status;
  Telemetry telemetry;
  Resolver resolver;
  SpecializationTable table;
  ResidueCounts residues;
  SingleFlight<Key, Resolution, KeyHash> flights;
  std::mutex history_mutex;
  KeyHistory history;  // guarded by history_mutex
};

template <class Operands>
Status Runtime::Impl::launch(const Operands& operands, const LaunchOptions& options, bool warm_only) {
  if (loader->forked()) [[unlikely]]
    return forked_error();
  Problem problem;
  if (Status s = fill_problem(operands, problem); !s.ok()) [[unlikely]]
    return refuse(options, std::move(s));
  const Key key = make_key(problem, options.arch.value_or(arch), options.emitter.value_or(emitter),
                           options.lowering.value_or(lowering), &residues.learned());
  if (problem.empty) [[unlikely]]
    return empty(key, options);
  const LaunchableKernel* kernel = table.find(key);
  if (kernel == nullptr) [[unlikely]]
    return miss(key, problem, options, warm_only);
  if (warm_only) return {};
  if (problem.columns_residue >= 0) residues.count(problem);
  Status status = run(*kernel, problem, options.stream);
  if (!status.ok()) [[unlikely]]
    return refuse(options, std::move(status));
  telemetry.hot.add(HotCounter::kMemoryLaunches);
  if (telemetry.events_on()) [[unlikely]]
    telemetry.launch_event(to_string(key), "memory", nullptr, status);
  if (options.info != nullptr) [[unlikely]] {
    *options.info = {};
    options.info->key = to_string(key);
    options.info->launched = true;
  }
  return status;
}

Status Runtime::Impl::run(const LaunchableKernel& kernel, const Problem& problem, void* stream) {
  cu::CUlaunchConfig config;
  ParameterBlock block;
  std::array<int64_t, 3> grid;
  if (!kernel.plan.evaluate(problem.symbols(), kernel.device, config, block, grid)) return {};
  if ((grid[0] | grid[1] | grid[2]) > 65535) [[unlikely]]
    TAILOR_RETURN_IF_ERROR(check_grid(grid));
  config.hStream = static_cast<cu::CUstream>(stream);
  config.attrs = nullptr;
  config.numAttrs = 0;
  const ContextScope scope(driver, context);
  if (scope.result() != cu::CUDA_SUCCESS) [[unlikely]]
    return check(driver, scope.result(), "cuCtxSetCurrent");
  const cu::CUresult result = driver.cuLaunchKernelEx(&config, kernel.function, block.pointers.data(), nullptr);
  if (result != cu::CUDA_SUCCESS) [[unlikely]]
    return check(driver, result, "cuLaunchKernelEx");
  return {};
}

Runtime::Impl::Resolution Runtime::Impl::resolve(const Key& key, void* stream) {
  return flights.run(key, [&]() -> Resolution {
    // Nothing may escape: the flight would never land, and every thread that waits for the key would wait for ever.
    try {
      if (const LaunchableKernel* present = table.find(key)) return {present, {}, nullptr};
      auto report = std::make_shared<MissReport>();
      {
        const std::lock_guard lock(history_mutex);
        report->new_component = history.record(key);
      }
      auto kernel = resolver.resolve(key, static_cast<cu::CUstream>(stream), *report);
      telemetry.count_resolved(*report);
      if (!kernel.ok()) return {nullptr, kernel.status(), std::move(report)};
      return {table.insert(std::move(*kernel)), {}, std::move(report)};
    } catch (const std::exception&) {
      return {nullptr, internal_error("out of memory"), nullptr};  // short enough to need no allocation
    }
  });
}

Status Runtime::Impl::miss(const Key& key, const Problem& problem, const LaunchOptions& options, bool warm_only) {
  Resolution resolution = resolve(key, options.stream);
  if (resolution.kernel == nullptr && problem.columns_residue >= 0) unlearn(key, problem, options.stream, resolution);
  const MissReport* report = resolution.report.get();
  const Tier tier = report ? report->tier : Tier::kMemory;
  Status status = resolution.status;
  if (resolution.kernel && !warm_only) status = run(*resolution.kernel, problem, options.stream);
  const bool launched = status.ok() && !warm_only;
  if (launched) telemetry.count_launch(tier);
  if (!status.ok()) telemetry.count_failed();
  if (telemetry.events_on()) {
    telemetry.launch_event(to_string(key), status.ok() ? to_string(tier) : "failed", report, status);
  }
  if (options.info) {
    LaunchInfo& info = *options.info;
    info = {};
    info.key = to_string(key);
    info.launched = launched;
    info.tier = tier;
    if (report) {
      info.miss_reason = report->reason;
      info.miss_detail = report->detail;
      info.new_component = report->new_component;
      info.fallbacks = report->fallbacks;
      info.fallback_notes = report->fallback_notes;
      info.phases = report->phases;
    }
  }
  return status;
}

// What was learned must not fail a launch that would have succeeded without (a stream that is capturing takes no PTX).
void Runtime::Impl::unlearn(const Key& key, const Problem& problem, void* stream, Resolution& resolution) {
  const Key plain = make_key(problem, key.arch(), key.emitter(), key.lowering());
  if (plain == key) return;
  residues.forget(problem);
  Resolution other = resolve(plain, stream);
  if (other.kernel == nullptr) return;
  auto report = other.report ? std::make_shared<MissReport>(*other.report) : std::make_shared<MissReport>();
  if (!other.report) report->tier = Tier::kMemory;
  report->note(Fallback::kUnlearned, resolution.status.message());
  telemetry.count_fallback(Fallback::kUnlearned);
  resolution = {other.kernel, {}, std::move(report)};
}

Status Runtime::Impl::empty(const Key& key, const LaunchOptions& options) {
  telemetry.hot.add(HotCounter::kEmptyLaunches);
  if (telemetry.events_on()) telemetry.launch_event(to_string(key), "empty", nullptr, {});
  if (options.info) {
    *options.info = {};
    options.info->key = to_string(key);
  }
  return {};
}

Status Runtime::Impl::refuse(const LaunchOptions& options, Status status) {
  telemetry.count_failed();
  if (telemetry.events_on()) telemetry.launch_event("", "refused", nullptr, status);
  if (options.info) *options.info = {};
  return status;
}

Runtime::Runtime(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Runtime::~Runtime() = default;

namespace {

// Runs a member's body; what it throws becomes a Status.
template <class Body>
Status guarded(Body&& body) {
  try {
    return body();
  } catch (const std::exception& e) {
    return internal_error(fmt::format("an exception reached the library boundary: {}", e.what()));
  }
}

}  // namespace

#define X(name, Operands)                                                          \
  Status Runtime::launch(const Operands& operands, const LaunchOptions& options) { \
    return guarded([&] { return impl_->launch(operands, options, false); });       \
  }                                                                                \
  Status Runtime::warm(const Operands& operands, const LaunchOptions& options) {   \
    return guarded([&] { return impl_->launch(operands, options, true); });        \
  }
TAILOR_OPERANDS(X)
#undef X

RuntimeStats Runtime::stats() const {
  RuntimeStats stats = impl_->telemetry.snapshot();
  stats.distinct_keys = impl_->table.size();
  if (impl_->store) stats.cache_io_errors = impl_->store->counters().io_errors;
  return stats;
}

Arch Runtime::arch() const { return impl_->arch; }
std::string_view Runtime::device() const { return impl_->driver.name; }
Status Runtime::cache_status() const { return impl_->store_status; }

Expected<std::unique_ptr<Runtime>> Runtime::open(const RuntimeOptions& options) {
  return RuntimeAccess::open(options, {});
}

Expected<std::unique_ptr<Runtime>> RuntimeAccess::open(const RuntimeOptions& options, RuntimeParts parts) {
  std::unique_ptr<Runtime> runtime;
  const Status status = guarded([&]() -> Status {
    if (!parts.driver) {
      TAILOR_ASSIGN_OR_RETURN(parts.driver, open_driver(options));
    }
    TAILOR_ASSIGN_OR_RETURN(std::unique_ptr<KernelLoader> loader, KernelLoader::open(*parts.driver, options.ordinal));
    TAILOR_ASSIGN_OR_RETURN(const Arch best, loader->default_arch());
    const Arch arch = options.arch.value_or(best);
    TAILOR_RETURN_IF_ERROR(loader->check_arch(arch));

    std::unique_ptr<EventSink> sink;
    if (!options.telemetry_path.empty()) {
      TAILOR_ASSIGN_OR_RETURN(sink, EventSink::open(options.telemetry_path));
    }
    std::unique_ptr<cache::Store> store;
    Status store_status;
    if (!options.cache_root.empty()) {
      cache::StoreOptions store_options;
      store_options.root = options.cache_root;
      store_options.fs = parts.file_system;
      store_options.durable = options.cache_durable;
      auto opened = cache::Store::open(std::move(store_options));
      if (opened.ok()) {
        store = std::move(*opened);
      } else {
        store_status = opened.status();
      }
    }
    ResolverOptions resolver;
    resolver.generator_digest = !parts.generator_digest.empty() ? parts.generator_digest
                                : parts.generator               ? parts.generator->digest()
                                                                : std::string(generator_digest());
    resolver.publish = !options.cache_read_only;
    resolver.require_cubin = options.require_cubin;
    auto generators = parts.generator ? std::make_unique<GeneratorSource>(std::move(parts.generator))
                                      : std::make_unique<GeneratorSource>(options.codegen_library,
                                                                          GeneratorOptions{options.library_folders});
    runtime.reset(new Runtime(std::make_unique<Runtime::Impl>(options, std::move(loader), std::move(generators),
                                                              std::move(store), std::move(store_status),
                                                              std::move(sink), std::move(resolver), arch)));
    return {};
  });
  if (!status.ok()) return status;
  return runtime;
}

const DriverTable& RuntimeAccess::driver(const Runtime& runtime) { return runtime.impl_->driver; }
cu::CUcontext RuntimeAccess::context(const Runtime& runtime) { return runtime.impl_->context; }

}  // namespace tailor
