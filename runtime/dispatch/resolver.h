// Key → launchable kernel, when the table has none: disk, else generate and compile.
//
//   disk, action key ──hit──► decode, check premises, load ─────────────────────────► kernel, tier disk
//     │ miss                                                                            ▲
//   emit ─► text in this process? ─► disk, text key ──hit──► load ──► publish action ───┘
//                                       │ miss
//                                    compile ──► load ──► publish text and action ────► kernel, tier compiled
//
// What comes from disk is never trusted: the store verified bytes, here the plan is validated and each premise is shown
// to follow from the key's facts. Any fault of the store is a miss with a reason. A cubin that the driver refuses falls
// back to its PTX, but not while the stream is being captured. Threads: any; the caller lets one thread per key in.
// Errors: kUnavailable (no generator), kCompiler, kDriver, kUnsupported, kInternal; nothing throws.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "cache/store.h"
#include "runtime/dispatch/generator_loader.h"
#include "runtime/dispatch/kernel_loader.h"
#include "runtime/dispatch/single_flight.h"
#include "runtime/dispatch/specialization_table.h"
#include "runtime/ops/image_codec.h"
#include "runtime/telemetry/telemetry.h"

namespace tailor {

struct ResolverOptions {
  std::string generator_digest;
  bool publish = true;
  bool require_cubin = false;
};

class Resolver {
 public:
  // `store` may be null: no disk tier. All three outlive the Resolver.
  Resolver(KernelLoader& loader, cache::Store* store, GeneratorSource& generators, ResolverOptions options)
      : loader_(loader), store_(store), generators_(generators), options_(std::move(options)) {}

  // `report` is filled on errors too, as far as things went.
  Expected<std::unique_ptr<LaunchableKernel>> resolve(const Key& key, cu::CUstream stream, MissReport& report);

 private:
  using Kernel = std::unique_ptr<LaunchableKernel>;
  // What a kernel is made of, wherever it came from.
  struct Objects {
    std::string cubin, ptx, cubin_missing, toolchain;
    uint32_t minimum_driver = 0;
    bool compiled = false;  // now, not by an earlier process
  };
  // Loaded once per emitted text; shared by the keys that give the same text.
  struct LoadedText {
    cu::CUfunction function = nullptr;
    Objects objects;
  };
  struct Attempt {  // one resolve() in progress
    const Key& key;
    FactSet facts;
    bool capturing;
    MissReport& report;
  };

  Expected<Kernel> run(Attempt& attempt);
  bool can_make_cubins(Emitter emitter);
  bool needs_newer_driver(const Objects& objects) const;
  // A kernel, or null with the reason in the report.
  Kernel from_disk(Attempt& attempt, const std::string& digest);
  Kernel miss(Attempt& attempt, MissReason reason, std::string detail);
  Expected<Kernel> generate(Attempt& attempt, KernelGenerator& generator, const std::string& digest);
  Expected<std::shared_ptr<const LoadedText>> load_text(Attempt& attempt, KernelGenerator& generator,
                                                        const EmittedKernel& emitted, const std::string& text_key);
  Expected<std::shared_ptr<const LoadedText>> find_or_compile(Attempt& attempt, KernelGenerator& generator,
                                                              const EmittedKernel& emitted,
                                                              const std::string& text_key);
  bool find_text(Attempt& attempt, const std::string& text_key, Objects& objects);
  Expected<KernelLoader::Loaded> load(Attempt& attempt, const Objects& objects, const std::string& entry,
                                      const LaunchPlan& plan);
  void publish(Attempt& attempt, const std::string& key, std::string metadata, const Objects& objects);

  KernelLoader& loader_;
  cache::Store* store_;
  GeneratorSource& generators_;
  ResolverOptions options_;
  using TextResult = Expected<std::shared_ptr<const LoadedText>>;
  SingleFlight<std::string, TextResult> text_flights_;
  std::mutex texts_mutex_;
  std::unordered_map<std::string, std::shared_ptr<const LoadedText>> texts_;  // guarded by texts_mutex_
};

}  // namespace tailor
