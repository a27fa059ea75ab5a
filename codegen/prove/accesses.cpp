#include "codegen/prove/accesses.h"

#include <algorithm>

#include <fmt/format.h>

#include "codegen/prove/evaluate.h"

namespace tailor::codegen::prove {
namespace {

constexpr Wide kNarrow = Wide{1} << 32;

class AccessProof {
 public:
  AccessProof(const Subject& subject, Host& host, Knowledge& knowledge, const AccessPoint& point, bool explain,
              std::vector<Obligation>& out)
      : subject_(subject), host_(host), knowledge_(knowledge), point_(point), explain_(explain), out_(out) {}

  bool run() {
    const Knowledge::Mark scope = knowledge_.mark();
    if (point_.guard != kNoPredicate) knowledge_.assume(point_.guard, true);
    const Operand* operand =
        point_.pointer.operand < 0 ? nullptr : &host_.operands()[static_cast<size_t>(point_.pointer.operand)];
    const std::string& claimed = subject_.program.accesses[point_.instruction.access - 1].operand;
    const bool named = operand && operand->name == claimed;
    const bool present = named && host_.shows_not_empty(*operand);
    Polynomial offset;
    bool narrow = true;
    const int width = kernel::bytes_of(point_.instruction.memory_type);
    const int align = std::max<int>(width, point_.instruction.align);
    for (const ByteOffset& o : point_.pointer.offsets) {
      Polynomial value = o.value;
      if (o.narrow && value.is_constant()) value = Polynomial(((value.constant() % kNarrow) + kNarrow) % kNarrow);
      offset = offset + value;
      if (!o.narrow || !narrow || value.is_constant() || (operand && operand->is_shared)) continue;
      // A part of an index tuple reaches no further than the whole operand.
      narrow =
          present && operand->limit < kNarrow && (index_tuple(*operand, value, 0, true) || inside(*operand, value, 0));
    }
    bool high = false, enumerated = false;
    if (present && operand->is_shared) {
      enumerated = high = narrow = enumerable(offset) && every_thread(offset, width, align, *operand);
      if (!high) narrow = high = inside(*operand, offset, width) && narrow_parts(*operand);
    } else if (present && narrow) {
      tuple_ = index_tuple(*operand, offset, width, false);
      high = tuple_ || inside(*operand, offset, width);
    }
    const int facts = knowledge_.facts_used();
    const bool aligned = enumerated || (named && narrow && knowledge_.shows_multiple(operand->base, align) &&
                                        knowledge_.shows_multiple(offset, align));
    add(
        Claim::kBounds, high,
        [&] {
          return operand ? fmt::format("0 <= {} <= {} - {}", knowledge_.to_string(offset),
                                       knowledge_.to_string(operand->bytes), width)
                         : std::string("the address is that of an operand");
        },
        [&] {
          if (knowledge_.unreachable()) return std::string("the access is never reached");
          if (!named) return fmt::format("the address is of {}", operand ? operand->name : "nothing known");
          if (!present) return std::string("the operand may be empty here");
          if (!narrow) return std::string("an offset may wrap");
          if (!domain_.empty()) return fmt::format("every of {} values of {} atoms", domain_size_, domain_.size());
          if (tuple_) return std::string("every index lies in its extent");
          return facts == 0 ? std::string("ranges") : fmt::format("path conditions times strides, {} facts", facts);
        });
    add(
        Claim::kAlignment, aligned,
        [&] { return fmt::format("{} + {} is a multiple of {}", claimed, knowledge_.to_string(offset), align); },
        [&] { return std::string(enumerated ? "enumeration" : "divisors of base, strides and constants"); });
    add(
        Claim::kOverflow, narrow && present,
        [&] {
          std::string text;
          for (const ByteOffset& o : point_.pointer.offsets) {
            if (!o.narrow) continue;
            text += fmt::format("{}0 <= {} < 2^32", text.empty() ? "" : ", ", knowledge_.to_string(o.value));
          }
          if (point_.pointer.offsets.empty()) return std::string("there is no offset");
          return text.empty() ? std::string("offsets are 64 bits wide, operands end below 2^63") : text;
        },
        [&] { return std::string(subject_.index64 ? "64-bit offsets" : "bytes of the operand <= 2^31"); });
    knowledge_.forget(scope);
    return tuple_;
  }

 private:
  // offset = Σ index*stride + rest with every index in [0, extent) and 0 <= rest, rest + width <= element + Σ (extent -
  // 1)*stride over the dimensions whose stride is a constant. A stride may be negative, but for `narrow`, of a part of
  // an offset: the part is then at most the bytes of the operand.
  bool index_tuple(const Operand& operand, const Polynomial& offset, int width, bool narrow) {
    Polynomial rest = offset;
    Polynomial room(operand.element - width);
    if (operand.is_shared) room = Polynomial(operand.limit - width);
    for (size_t k = 0; k < operand.dims.size(); ++k) {
      const OperandDim& d = operand.dims[k];
      if (d.stride.is_constant()) {
        room = room + (d.extent - Polynomial(1)) * d.stride;
        continue;
      }
      if (narrow && knowledge_.range(d.stride).lo < 0) return false;
      Polynomial index;
      if (!take_index(operand, k, rest, index, [](Monomial m) { return m.is_one(); })) return false;
      if (!knowledge_.shows(index) || !knowledge_.shows(d.extent - Polynomial(1) - index)) return false;
    }
    return knowledge_.shows(rest) && knowledge_.shows(room - rest);
  }

  // Does the value depend on few values of the thread and of loops alone? Then those are domain_.
  bool enumerable(const Polynomial& p) {
    constexpr Wide kMost = 4096;
    std::vector<Atom> open;
    collect_atoms(p, open);
    std::vector<Atom> seen;
    Wide size = 1;
    while (!open.empty()) {
      const Atom a = open.back();
      open.pop_back();
      if (std::find(seen.begin(), seen.end(), a) != seen.end()) continue;
      seen.push_back(a);
      const AtomInfo& info = knowledge_.info(a);
      if (info.kind == AtomKind::kThread || info.kind == AtomKind::kLoop) {
        const Range r = knowledge_.range(Polynomial::atom(a));
        if (r.hi - r.lo > kMost * info.modulus) return domain_.clear(), false;
        size *= (r.hi - r.lo) / info.modulus + 1;
        if (size > kMost) return domain_.clear(), false;
        domain_.push_back(a);
      } else if (knowledge_.definition(a)) {
        direct_dependencies(knowledge_, a, open);
      } else {
        return domain_.clear(), false;
      }
    }
    domain_size_ = static_cast<int>(size);
    return true;
  }

  // 0 <= offset <= bytes - width and align | offset, for every value of domain_ that is not excluded on the way here.
  bool every_thread(const Polynomial& offset, int width, int align, const Operand& operand) {
    Evaluation evaluation(knowledge_);
    std::vector<Wide> at;
    for (Atom a : domain_) at.push_back(knowledge_.range(Polynomial::atom(a)).lo);
    for (bool more = true; more;) {
      evaluation.clear();
      for (size_t k = 0; k < domain_.size(); ++k) evaluation.set(domain_[k], at[k]);
      const std::optional<Wide> value = evaluation.value(offset);
      bool fits = value && *value >= 0 && *value + width <= operand.limit && *value % align == 0;
      for (const ByteOffset& o : point_.pointer.offsets) {
        if (!fits || !o.narrow || point_.pointer.offsets.size() == 1) break;  // a single offset is the whole
        const std::optional<Wide> part = evaluation.value(o.value);
        fits = part && *part >= 0 && *part < kNarrow;
      }
      const bool excluded = !fits && std::any_of(point_.path.begin(), point_.path.end(), [&](const PathStep& step) {
        const std::optional<bool> holds = evaluation.value(step.predicate);
        return holds && *holds != step.holds;
      });
      if (!fits && !excluded) return false;
      more = false;
      for (size_t k = 0; k < domain_.size() && !more; ++k) {
        at[k] += knowledge_.info(domain_[k]).modulus;
        more = at[k] <= knowledge_.range(Polynomial::atom(domain_[k])).hi;
        if (!more) at[k] = knowledge_.range(Polynomial::atom(domain_[k])).lo;
      }
    }
    return true;
  }

  bool narrow_parts(const Operand& operand) {
    return std::all_of(point_.pointer.offsets.begin(), point_.pointer.offsets.end(),
                       [&](const ByteOffset& o) { return !o.narrow || inside(operand, o.value, 0); });
  }

  // The same by any combination of facts.
  bool inside(const Operand& operand, const Polynomial& offset, int width) {
    return knowledge_.shows(offset) && knowledge_.shows(operand.bytes - Polynomial(width) - offset);
  }
  template <class Statement, class Method>
  void add(Claim claim, bool shown, const Statement& statement, const Method& method) {
    const kernel::Access& access = subject_.program.accesses[point_.instruction.access - 1];
    Obligation o;
    o.claim = claim;
    o.access = point_.instruction.access;
    o.operand = access.operand;
    o.what = access.what;
    o.verdict = shown ? Verdict::kProved : Verdict::kUnknown;
    if (explain_ || !shown) o.statement = statement(), o.method = method();
    out_.push_back(std::move(o));
  }

  const Subject& subject_;
  Host& host_;
  Knowledge& knowledge_;
  const AccessPoint& point_;
  bool explain_;
  bool tuple_ = false;
  std::vector<Atom> domain_;  // enumerated
  int domain_size_ = 0;
  std::vector<Obligation>& out_;
};

}  // namespace

bool prove_access(const Subject& subject, Host& host, Knowledge& knowledge, const AccessPoint& point, bool explain,
                  std::vector<Obligation>& out) {
  return AccessProof(subject, host, knowledge, point, explain, out).run();
}

}  // namespace tailor::codegen::prove
