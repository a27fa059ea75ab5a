#include "codegen/prove/prove.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/prove/accesses.h"
#include "codegen/prove/coverage.h"
#include "codegen/prove/falsify.h"

namespace tailor::codegen::prove {

std::string_view to_string(Claim claim) {
  switch (claim) {
#define X(name, text, safety) \
  case Claim::name:           \
    return text;
    TAILOR_PROVE_CLAIMS(X)
#undef X
  }
  return "?";
}

bool is_safety(Claim claim) {
  switch (claim) {
#define X(name, text, safety) \
  case Claim::name:           \
    return safety;
    TAILOR_PROVE_CLAIMS(X)
#undef X
  }
  return false;
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
#define X(name, text) \
  case Verdict::name: \
    return text;
    TAILOR_PROVE_VERDICTS(X)
#undef X
  }
  return "?";
}

size_t Proof::count(Verdict verdict) const {
  return static_cast<size_t>(
      std::count_if(obligations.begin(), obligations.end(), [&](const Obligation& o) { return o.verdict == verdict; }));
}

const Obligation* Proof::first(Verdict verdict) const {
  for (const Obligation& o : obligations) {
    if (o.verdict == verdict) return &o;
  }
  return nullptr;
}

Verdict Proof::verdict() const {
  if (first(Verdict::kRefuted)) return Verdict::kRefuted;
  return first(Verdict::kUnknown) ? Verdict::kUnknown : Verdict::kProved;
}

Verdict Proof::safety() const {
  Verdict worst = Verdict::kProved;
  for (const Obligation& o : obligations) {
    if (!is_safety(o.claim) || o.verdict == Verdict::kProved) continue;
    if (o.verdict == Verdict::kRefuted) return Verdict::kRefuted;
    worst = Verdict::kUnknown;
  }
  return worst;
}

Expected<Proof> prove(const Subject& subject, const Options& options) {
  if (subject.plan.parameters.size() != subject.program.parameters.size()) {
    return invalid_argument(fmt::format("the plan has {} parameters, kernel @{} has {}", subject.plan.parameters.size(),
                                        subject.program.entry, subject.program.parameters.size()));
  }
  Knowledge knowledge;
  Host host(subject, knowledge);
  Proof proof;
  proof.obligations.reserve(3 * subject.program.accesses.size() + 8);
  std::vector<StoreRecord> stores;
  Execution execution(subject, knowledge, host, [&](const AccessPoint& point) {
    const bool placed = prove_access(subject, host, knowledge, point, options.explain, proof.obligations);
    if (point.instruction.op != kernel::Op::kStore || point.pointer.operand < 0 || knowledge.unreachable()) return;
    StoreRecord store;
    store.access = point.instruction.access;
    store.operand = point.pointer.operand;
    store.width = kernel::bytes_of(point.instruction.memory_type);
    for (const ByteOffset& o : point.pointer.offsets) store.offset = store.offset + o.value;
    store.exact = proof.obligations.back().verdict == Verdict::kProved;  // the overflow of this access
    store.placed = placed;
    const Operand& operand = host.operands()[static_cast<size_t>(store.operand)];
    if (!operand.is_shared) store.column = find_column(operand, store.offset, store.width, knowledge);
    store.path.assign(point.path.begin(), point.path.end());
    store.guard = point.guard;
    store.loop = point.loop;
    stores.push_back(std::move(store));
  });
  execution.run();
  prove_coverage(subject, host, knowledge, execution, stores, options.explain, proof.obligations);
  if (options.counterexamples) find_counterexamples(subject, proof.obligations);
  return proof;
}

}  // namespace tailor::codegen::prove
