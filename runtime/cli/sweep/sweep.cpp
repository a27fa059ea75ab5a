#include "runtime/cli/sweep/sweep.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "cache/format.h"
#include "runtime/bucket/facts.h"
#include "runtime/cli/sweep/configurations.h"
#include "runtime/ops/schema.h"

namespace tailor::cli {
namespace {

Status premises_follow(const Key& key, const FactSet& premises) {
  const FactSet facts = facts_of(key);
  const auto symbols = symbols_of(key.op());
  for (const Fact& premise : premises) {
    if (implies(facts, premise)) continue;
    const std::string_view name = premise.symbol < symbols.size() ? symbols[premise.symbol].name : "unknown symbol";
    return internal_error(fmt::format("the premise \"{}\" does not follow from the key", to_string(premise, name)));
  }
  return {};
}

class Sweep {
 public:
  Sweep(const SweepGroup& group, KernelGenerator& generator, bool compile,
        const std::function<void(int64_t done)>& progress)
      : group_(group), generator_(generator), compile_(compile), progress_(progress) {}

  SweepResult run(int jobs) {
    const auto begin = std::chrono::steady_clock::now();
    std::vector<std::thread> threads;
    for (int j = 1; j < jobs; ++j) threads.emplace_back([this] { work(); });
    work();
    for (std::thread& thread : threads) thread.join();
    SweepResult result;
    result.keys = static_cast<int64_t>(group_.keys.size());
    result.distinct_texts = static_cast<int64_t>(texts_.size());
    result.distinct_cubins = static_cast<int64_t>(cubins_.size());
    result.unproved = static_cast<int64_t>(unproved_.size());
    if (!unproved_.empty()) {
      const auto& [index, what] = *unproved_.begin();
      result.first_unproved = to_string(group_.keys[index]) + ": " + what;
    }
    for (auto& [index, failure] : failures_) result.failures.push_back(std::move(failure));
    result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return result;
  }

 private:
  void work() {
    for (size_t index = next_++; index < group_.keys.size(); index = next_++) {
      one(index);
      const std::lock_guard lock(mutex_);
      progress_(++done_);
    }
  }

  void one(size_t index) {
    const Key& key = group_.keys[index];
    const Expected<EmittedKernel> emitted = generator_.emit(key);
    if (!emitted.ok()) return fail(index, "emit", emitted.status());
    if (const Status s = premises_follow(key, emitted->premises); !s.ok()) fail(index, "premises", s);
    {
      const std::lock_guard lock(mutex_);
      if (!emitted->unproved.empty()) unproved_.emplace(index, emitted->unproved);
      if (!texts_.insert(cache::digest_of(emitted->text)).second || !compile_) return;
    }
    const Expected<CompiledKernel> compiled = generator_.compile(*emitted, /*require_cubin=*/true);
    if (!compiled.ok()) return fail(index, "compile", compiled.status());
    const std::lock_guard lock(mutex_);
    cubins_.insert(cache::digest_of(compiled->cubin));
  }

  void fail(size_t index, const char* stage, const Status& status) {
    const std::lock_guard lock(mutex_);
    failures_.emplace(index, SweepFailure{group_.keys[index], stage, status});
  }

  const SweepGroup& group_;
  KernelGenerator& generator_;
  const bool compile_;
  const std::function<void(int64_t done)>& progress_;
  std::atomic<size_t> next_{0};
  std::mutex mutex_;  // guards what follows
  int64_t done_ = 0;
  std::set<cache::Digest> texts_, cubins_;
  std::map<size_t, std::string> unproved_;
  std::map<size_t, SweepFailure> failures_;
};

}  // namespace

Expected<SweepGroup> sweep_group(OpId op, Arch arch, Emitter emitter, Lowering lowering, int64_t limit) {
  SweepGroup group{op, arch, emitter, {}};
  for (const StaticConfiguration& configuration : sweep_configurations(op, arch, emitter, lowering)) {
    auto keys = enumerate_keys(configuration);
    if (!keys.ok()) {
      return internal_error(
          fmt::format("a configuration of {} is refused: {}", to_string(op), keys.status().message()));
    }
    group.keys.insert(group.keys.end(), keys->begin(), keys->end());
  }
  if (limit == 0 || limit >= static_cast<int64_t>(group.keys.size())) return group;
  // The order of the keys' hashes has nothing to do with that of their fields.
  std::stable_sort(group.keys.begin(), group.keys.end(),
                   [](const Key& a, const Key& b) { return a.hash() < b.hash(); });
  group.keys.resize(static_cast<size_t>(limit));
  return group;
}

SweepResult sweep(const SweepGroup& group, KernelGenerator& generator, bool compile, int jobs,
                  const std::function<void(int64_t done)>& progress) {
  return Sweep(group, generator, compile, progress).run(jobs);
}

}  // namespace tailor::cli
