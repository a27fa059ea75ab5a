#include "runtime/dispatch/resolver.h"

#include <chrono>
#include <exception>

#include <fmt/format.h>

#include "runtime/dispatch/action_key.h"
#include "runtime/ops/schema.h"

namespace tailor {
namespace {

constexpr std::string_view kCubinObject = "cubin", kPtxObject = "ptx";

MissReason from_cache(cache::MissReason reason) {
  switch (reason) {
#define X(name, text, meaning)  \
  case cache::MissReason::name: \
    return MissReason::name;
    TAILOR_CACHE_MISS_REASONS(X)
#undef X
  }
  return MissReason::kIoError;
}

// A phase that runs twice (a lookup of the key, then of the text) is one entry with the sum.
void add_phase(NamedMilliseconds& to, std::string_view phase, double milliseconds) {
  for (auto& [name, sum] : to) {
    if (name == phase) {
      sum += milliseconds;
      return;
    }
  }
  to.emplace_back(phase, milliseconds);
}

void add_phases(NamedMilliseconds& to, const PhaseTimes& phases) {
  for (const auto& [phase, milliseconds] : phases) add_phase(to, phase, milliseconds);
}

// Adds the time it lived to a report's phases.
class PhaseTimer {
 public:
  PhaseTimer(MissReport& report, const char* phase) : report_(report), phase_(phase) {}
  ~PhaseTimer() {
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start_;
    add_phase(report_.phases, phase_, elapsed.count());
  }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  MissReport& report_;
  const char* phase_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

std::string take_object(cache::ActionRecord& record, std::string_view name) {
  for (cache::Object& object : record.objects) {
    if (object.name == name) return std::move(object.bytes);
  }
  return {};
}

// ok if every premise follows from the key's facts.
Status check_premises(OpId op, const FactSet& facts, const FactSet& premises) {
  const auto symbols = symbols_of(op);
  for (const Fact& premise : premises) {
    if (implies(facts, premise)) continue;
    const std::string_view name = premise.symbol < symbols.size() ? symbols[premise.symbol].name : "unknown symbol";
    return internal_error(
        fmt::format("the kernel's premise \"{}\" does not follow from its key", to_string(premise, name)));
  }
  return {};
}

// ok if a stored record is of the kernel that the key asks for.
Status check_image(const Key& key, const StoredImage& image) {
  if (image.op == key.op() && image.arch == key.arch() && image.emitter == key.emitter()) return {};
  return corruption(fmt::format("the record is of {} {} {}; the key is of {} {} {}", to_string(image.op),
                                to_string(image.arch), to_string(image.emitter), to_string(key.op()),
                                to_string(key.arch()), to_string(key.emitter())));
}

std::unique_ptr<LaunchableKernel> make_kernel(const Key& key, cu::CUfunction function, const DeviceNumbers& device,
                                              const LaunchPlan& plan) {
  return std::make_unique<LaunchableKernel>(LaunchableKernel{key, function, device, PackedPlan(plan)});
}

}  // namespace

Expected<std::unique_ptr<LaunchableKernel>> Resolver::resolve(const Key& key, cu::CUstream stream, MissReport& report) {
  try {
    TAILOR_RETURN_IF_ERROR(validate(key));
    TAILOR_RETURN_IF_ERROR(loader_.check_arch(key.arch()));
    Attempt attempt{key, facts_of(key), loader_.capturing(stream), report};
    return run(attempt);
  } catch (const std::exception& e) {
    return internal_error(fmt::format("resolving a kernel threw: {}", e.what()));
  }
}

Expected<Resolver::Kernel> Resolver::run(Attempt& attempt) {
  std::string digest = options_.generator_digest;
  if (Kernel kernel = from_disk(attempt, digest)) return kernel;
  Expected<std::shared_ptr<KernelGenerator>> generator = generators_.get();
  if (!generator.ok()) {
    return Status(generator.status().code(),
                  fmt::format("no kernel for this key in memory or on disk ({}), and {}",
                              to_string(attempt.report.reason), generator.status().message()));
  }
  if (std::string actual = (*generator)->digest(); actual != digest) {
    attempt.report.note(Fallback::kOtherGenerator,
                        fmt::format("its digest is {}; this library's is {}", actual, digest));
    digest = std::move(actual);
    if (Kernel kernel = from_disk(attempt, digest)) return kernel;
  }
  return generate(attempt, **generator, digest);
}

Resolver::Kernel Resolver::miss(Attempt& attempt, MissReason reason, std::string detail) {
  attempt.report.reason = reason;
  attempt.report.detail = std::move(detail);
  return nullptr;
}

Resolver::Kernel Resolver::from_disk(Attempt& attempt, const std::string& digest) {
  if (!store_) return miss(attempt, MissReason::kNoDiskTier, {});
  const std::string action = action_key(attempt.key, digest);
  Objects objects;
  StoredImage image;
  {
    const PhaseTimer timer(attempt.report, "lookup");
    // The cubin alone is read where it will do; a record without one, and a device without use for it, need the PTX.
    const std::string_view wanted = loader_.takes_cubins() ? kCubinObject : kPtxObject;
    cache::LookupResult found = store_->lookup(action, wanted);
    if (!found.hit() && found.reason == cache::MissReason::kMissingObject) found = store_->lookup(action);
    if (!found.hit()) return miss(attempt, from_cache(found.reason), std::move(found.detail));
    Expected<StoredImage> decoded = decode_image(found.record->metadata);
    if (!decoded.ok()) return miss(attempt, MissReason::kBadMetadata, decoded.status().message());
    image = std::move(*decoded);
    if (const Status s = check_image(attempt.key, image); !s.ok()) {
      return miss(attempt, MissReason::kBadMetadata, s.message());
    }
    if (const Status s = check_premises(image.op, attempt.facts, image.premises); !s.ok()) {
      return miss(attempt, MissReason::kPremises, s.message());
    }
    objects.cubin = take_object(*found.record, kCubinObject);
    objects.ptx = take_object(*found.record, kPtxObject);
    objects.cubin_missing = image.cubin_missing;
    objects.minimum_driver = found.record->minimum_driver;
  }
  if (loader_.takes_cubins() && objects.cubin.empty() && can_make_cubins(attempt.key.emitter())) {
    return miss(attempt, MissReason::kNoCubin, objects.cubin_missing);
  }
  // Where none can be made here, the driver decides: a cubin that it refuses is served from its PTX.
  if (needs_newer_driver(objects) && can_make_cubins(attempt.key.emitter())) {
    return miss(attempt, MissReason::kNewerDriver,
                fmt::format("the stored cubin needs driver version {}; this one is {}", objects.minimum_driver,
                            loader_.driver_version()));
  }
  Expected<KernelLoader::Loaded> loaded = load(attempt, objects, image.entry, image.plan);
  if (!loaded.ok() && objects.ptx.empty()) {
    cache::LookupResult ptx = store_->lookup(action, kPtxObject);
    if (ptx.hit()) {
      objects.ptx = take_object(*ptx.record, kPtxObject);
      loaded = load(attempt, objects, image.entry, image.plan);
    }
  }
  if (!loaded.ok()) return miss(attempt, MissReason::kLoadRefused, loaded.status().message());
  if (!image.unproved.empty()) attempt.report.note(Fallback::kProofUnknown, image.unproved);
  attempt.report.tier = Tier::kDisk;
  attempt.report.reason = MissReason::kNone;
  attempt.report.detail.clear();
  return make_kernel(attempt.key, loaded->function, loaded->device, image.plan);
}

bool Resolver::needs_newer_driver(const Objects& objects) const {
  return loader_.takes_cubins() && !objects.cubin.empty() && loader_.driver_version() != 0 &&
         objects.minimum_driver > loader_.driver_version();
}

// True if the code generator is here with every tool that the emitter's way to a cubin takes.
bool Resolver::can_make_cubins(Emitter emitter) {
  const Expected<std::shared_ptr<KernelGenerator>> generator = generators_.get();
  return generator.ok() && (*generator)->toolchain(emitter).find("missing") == std::string::npos;
}

Expected<KernelLoader::Loaded> Resolver::load(Attempt& attempt, const Objects& objects, const std::string& entry,
                                              const LaunchPlan& plan) {
  const PhaseTimer timer(attempt.report, "load");
  const uint32_t threads = plan.block[0] * plan.block[1] * plan.block[2];
  Status refused;
  if (loader_.takes_cubins() && !objects.cubin.empty()) {
    Expected<KernelLoader::Loaded> loaded =
        loader_.load(ImageKind::kCubin, objects.cubin, entry, threads, plan.dynamic_shared_bytes);
    if (loaded.ok() || objects.ptx.empty()) return loaded;
    refused = loaded.status();
  }
  if (objects.ptx.empty()) return internal_error("the image has neither a cubin nor PTX");
  if (!loader_.takes_cubins()) {
    return loader_.load(ImageKind::kPtx, objects.ptx, entry, threads, plan.dynamic_shared_bytes);
  }
  if (attempt.capturing) {
    return unsupported(
        fmt::format("the stream is being captured and the driver would have to compile PTX ({}); call "
                    "warm() before the capture",
                    refused.ok() ? objects.cubin_missing : refused.message()));
  }
  Expected<KernelLoader::Loaded> loaded =
      loader_.load(ImageKind::kPtx, objects.ptx, entry, threads, plan.dynamic_shared_bytes);
  if (loaded.ok()) {
    attempt.report.note(refused.ok() ? Fallback::kPtxOnly : Fallback::kCubinRefused,
                        refused.ok() ? objects.cubin_missing : refused.message());
  }
  return loaded;
}

Expected<Resolver::Kernel> Resolver::generate(Attempt& attempt, KernelGenerator& generator, const std::string& digest) {
  MissReport& report = attempt.report;
  const Key& key = attempt.key;
  TAILOR_ASSIGN_OR_RETURN(EmittedKernel emitted, generator.emit(key));
  add_phases(report.phases, emitted.phases);
  if (!emitted.unproved.empty()) report.note(Fallback::kProofUnknown, emitted.unproved);
  if (emitted.entry != entry_symbol(key.op()) || emitted.arch != key.arch() || emitted.emitter != key.emitter()) {
    return internal_error(fmt::format("the generator returned {} for {} by {}; the key asks for {}, {}, {}",
                                      emitted.entry, to_string(emitted.arch), to_string(emitted.emitter),
                                      entry_symbol(key.op()), to_string(key.arch()), to_string(key.emitter())));
  }
  TAILOR_RETURN_IF_ERROR(validate(emitted.plan, static_cast<int>(symbols_of(key.op()).size())));
  TAILOR_RETURN_IF_ERROR(check_premises(key.op(), attempt.facts, emitted.premises));

  const std::string text = text_key(emitted, generator.toolchain(emitted.emitter));
  TAILOR_ASSIGN_OR_RETURN(const std::shared_ptr<const LoadedText> loaded, load_text(attempt, generator, emitted, text));
  // The same code may be launched with another block shape under another key.
  TAILOR_ASSIGN_OR_RETURN(
      const DeviceNumbers device,
      loader_.occupancy(loaded->function, emitted.plan.block[0] * emitted.plan.block[1] * emitted.plan.block[2],
                        emitted.plan.dynamic_shared_bytes));
  report.tier = report.compiled ? Tier::kCompiled : report.tier;
  publish(attempt, action_key(key, digest),
          encode_image({key.op(), key.arch(), key.emitter(), emitted.entry, emitted.premises, emitted.plan,
                        loaded->objects.cubin_missing, emitted.unproved}),
          loaded->objects);
  return make_kernel(key, loaded->function, device, emitted.plan);
}

Expected<std::shared_ptr<const Resolver::LoadedText>> Resolver::load_text(Attempt& attempt, KernelGenerator& generator,
                                                                          const EmittedKernel& emitted,
                                                                          const std::string& text_key) {
  bool made_here = false;
  TextResult result = text_flights_.run(text_key, [&]() -> TextResult {
    {
      const std::lock_guard lock(texts_mutex_);
      if (const auto it = texts_.find(text_key); it != texts_.end()) return it->second;
    }
    made_here = true;
    try {
      TAILOR_ASSIGN_OR_RETURN(std::shared_ptr<const LoadedText> text,
                              find_or_compile(attempt, generator, emitted, text_key));
      const std::lock_guard lock(texts_mutex_);
      texts_.emplace(text_key, text);
      return text;
    } catch (const std::exception& e) {
      return internal_error(fmt::format("compiling a kernel threw: {}", e.what()));
    }
  });
  if (!result.ok()) return result;
  attempt.report.compiled = made_here && (*result)->objects.compiled;
  attempt.report.text_shared = !attempt.report.compiled;
  if (!made_here) {
    attempt.report.tier = Tier::kMemory;
  } else {
    attempt.report.tier = attempt.report.compiled ? Tier::kCompiled : Tier::kDisk;
  }
  return result;
}

Expected<std::shared_ptr<const Resolver::LoadedText>> Resolver::find_or_compile(Attempt& attempt,
                                                                                KernelGenerator& generator,
                                                                                const EmittedKernel& emitted,
                                                                                const std::string& text_key) {
  auto text = std::make_shared<LoadedText>();
  Objects& objects = text->objects;
  if (find_text(attempt, text_key, objects)) {
    // Stored bytes that do not load are a miss like any other.
    if (const auto loaded = load(attempt, objects, emitted.entry, emitted.plan); loaded.ok()) {
      text->function = loaded->function;
      return std::shared_ptr<const LoadedText>(std::move(text));
    }
  }
  TAILOR_ASSIGN_OR_RETURN(CompiledKernel compiled, generator.compile(emitted, options_.require_cubin));
  add_phases(attempt.report.phases, compiled.phases);
  if (compiled.ptx.empty()) return internal_error("the compiler returned no PTX");
  if (compiled.cubin.empty()) attempt.report.note(Fallback::kPtxOnly, compiled.cubin_missing);
  objects = {std::move(compiled.cubin),     std::move(compiled.ptx), std::move(compiled.cubin_missing),
             std::move(compiled.toolchain), compiled.minimum_driver, true};
  TAILOR_ASSIGN_OR_RETURN(const KernelLoader::Loaded loaded, load(attempt, objects, emitted.entry, emitted.plan));
  text->function = loaded.function;
  publish(attempt, text_key, objects.cubin_missing, objects);
  return std::shared_ptr<const LoadedText>(std::move(text));
}

bool Resolver::find_text(Attempt& attempt, const std::string& text_key, Objects& objects) {
  if (!store_) return false;
  const PhaseTimer timer(attempt.report, "lookup");
  cache::LookupResult found = store_->lookup(text_key);
  if (!found.hit() || !found.record->find(kPtxObject)) return false;
  objects = {take_object(*found.record, kCubinObject),
             take_object(*found.record, kPtxObject),
             std::move(found.record->metadata),
             std::move(found.record->toolchain),
             found.record->minimum_driver,
             false};
  return true;
}

void Resolver::publish(Attempt& attempt, const std::string& key, std::string metadata, const Objects& objects) {
  if (!store_ || !options_.publish) return;
  const PhaseTimer timer(attempt.report, "publish");
  cache::ActionRecord record{std::move(metadata), objects.toolchain, objects.minimum_driver, {}};
  if (!objects.cubin.empty()) record.objects.push_back({std::string(kCubinObject), objects.cubin});
  record.objects.push_back({std::string(kPtxObject), objects.ptx});
  if (const Status s = store_->publish(key, record); !s.ok()) {
    attempt.report.note(Fallback::kPublishFailed, s.message());
  }
}

}  // namespace tailor
