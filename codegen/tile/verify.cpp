#include <algorithm>
#include <bit>
#include <map>
#include <set>

#include <fmt/format.h>

#include "codegen/tile/known.h"
#include "codegen/tile/tile.h"

namespace tailor::codegen::tile {
namespace {

bool is_pow2(int64_t x) { return x > 0 && (x & (x - 1)) == 0; }
bool is_float(DType type) {
  return type == DType::kFloat32 || type == DType::kFloat16 || type == DType::kBFloat16 || type == DType::kFloat8E4M3 ||
         type == DType::kFloat8E5M2;
}
bool reads_source(Op op) { return (is_mover(op) && op != Op::kFill) || op == Op::kTranspose; }
bool in_limit(int64_t x) { return -kConstantLimit < x && x < kConstantLimit; }

class Verifier {
 public:
  explicit Verifier(const Program& program) : program_(program), visible_(program.value_count(), false) {}

  Status run() {
    if (program_.entry().empty()) return invalid_argument("tile program has no entry name");
    std::set<std::string> names;
    for (const View& view : program_.views()) {
      if (!names.insert(view.name).second)
        return invalid_argument(fmt::format("view @{} is declared twice", view.name));
      TAILOR_RETURN_IF_ERROR(check_view(view));
    }
    for (ValueId v = 0; v < program_.value_count(); ++v) {
      if (!names.insert("%" + program_.name_of(v)).second) {
        return invalid_argument(fmt::format("value %{} has the name of another", program_.name_of(v)));
      }
    }
    for (const Node& node : program_.body()) {
      if (!is_loop(node.op)) return broken(node, "stands outside of a loop");
      TAILOR_RETURN_IF_ERROR(check_loop(node));
    }
    return {};
  }

 private:
  Status broken(const Node& node, const std::string& rule) const {
    return invalid_argument(fmt::format("tile program: \"{}\" {}", print_node(program_, node), rule));
  }

  Status check_extent(const Extent& extent, const std::string& what) const {
    if (extent.exact ? *extent.exact < 0 || *extent.exact > kScalarMax
                     : extent.symbol.empty() || !in_limit(extent.offset)) {
      return invalid_argument(
          fmt::format("{} is \"{}\"; it must be a symbol or in [0, 2^31)", what, to_string(extent)));
    }
    return {};
  }

  Status check_view(const View& view) const {
    const auto bad = [&](std::string_view rule) {
      return invalid_argument(fmt::format("view @{}: {}", view.name, rule));
    };
    if (!is_pow2(view.element_bytes) || view.element_bytes > 8) return bad("elements have 1, 2, 4 or 8 bytes");
    if (!is_pow2(view.base_align) || view.base_align < view.element_bytes) {
      return bad("the base alignment is a power of two, at least the element");
    }
    if (view.type && element_bytes(*view.type) != view.element_bytes) {
      return bad(fmt::format("elements of {} have {} bytes", to_string(*view.type), element_bytes(*view.type)));
    }
    if (view.dims.empty()) return bad("it needs a dimension");
    for (const Dimension& d : view.dims) {
      TAILOR_RETURN_IF_ERROR(check_extent(d.extent, "an extent of view @" + view.name));
      const Stride& s = d.stride;
      if (s.exact) {
        if (*s.exact < 0 || !in_limit(*s.exact) || *s.exact % view.element_bytes != 0) {
          return bad("an exact stride is a non-negative multiple of the element");
        }
      } else if (s.symbol.empty() || s.factor < 1 || !in_limit(s.factor) || s.divisor < 1 || !in_limit(s.divisor)) {
        return bad("a stride has a symbol, a factor and a divisor of at least 1");
      } else if (s.factor % view.element_bytes != 0 && s.divisor % view.element_bytes != 0) {
        return bad("a stride is known to be a multiple of the element");
      }
    }
    return {};
  }

  Status check_loop(const Node& node) {
    TAILOR_RETURN_IF_ERROR(check_shape(node));
    TAILOR_RETURN_IF_ERROR(check_extent(node.extent, "the extent of a loop"));
    if (node.op == Op::kEach && program_.status().empty()) return broken(node, "needs a status word to report to");
    const size_t mark = known_.mark();
    std::vector<ValueId> defined;
    TAILOR_RETURN_IF_ERROR(define(node, defined));
    known_.learn_index(node.results[0], node.extent);
    TAILOR_RETURN_IF_ERROR(check_body(node, node.body));
    for (ValueId v : defined) visible_[v] = false;
    known_.forget(mark);
    return {};
  }

  // The nodes of a loop, or of one side of a `when` within it.
  Status check_body(const Node& loop, const std::vector<Node>& body) {
    std::vector<ValueId> defined;
    const size_t before = path_.size();
    for (const Node& node : body) {
      if (is_loop(node.op)) return broken(node, "is a loop within a loop");
      TAILOR_RETURN_IF_ERROR(check_shape(node));
      TAILOR_RETURN_IF_ERROR(check_uses(node));
      TAILOR_RETURN_IF_ERROR(check_rules(loop, node));
      TAILOR_RETURN_IF_ERROR(check_order(node));
      TAILOR_RETURN_IF_ERROR(define(node, defined));
      if (is_memory(node.op)) path_.push_back(&node);
      if (node.op == Op::kWhen) {
        if (&node != &body.back()) return broken(node, "must be the last node of its body");
        const size_t mark = known_.mark();
        known_.learn(program_, node);
        TAILOR_RETURN_IF_ERROR(check_body(loop, node.body));
        known_.forget(mark);
        TAILOR_RETURN_IF_ERROR(check_body(loop, node.otherwise));
      } else {
        known_.learn(program_, node);
      }
    }
    path_.resize(before);
    for (ValueId v : defined) visible_[v] = false;
    return {};
  }

  // Counts and ids, so that everything after may index freely.
  Status check_shape(const Node& node) const {
    const bool loop = is_loop(node.op);
    if (node.results.size() != static_cast<size_t>(loop ? 1 : result_count(node.op))) {
      return broken(node, "has the wrong number of results");
    }
    for (ValueId v : node.results) {
      if (v >= program_.value_count()) return broken(node, "defines a value that does not exist");
    }
    const auto is_view = [&](ViewId v) { return v < program_.views().size(); };
    size_t operands = 0;
    switch (node.op) {
      case Op::kSub:
      case Op::kSum:
        operands = 2;
        break;
      case Op::kSearch:
      case Op::kAdd:
      case Op::kResolve:
        operands = 1;
        break;
      case Op::kJoin:
        if (node.operands.size() < 2) return broken(node, "joins fewer than two tokens");
        operands = node.operands.size();
        break;
      default:
        break;
    }
    if (node.operands.size() != operands) return broken(node, fmt::format("must have {} operands", operands));
    if (is_memory(node.op) && !is_view(node.view)) return broken(node, "names no view");
    if (reads_source(node.op) && !is_view(node.source)) {
      return broken(node, "names no source view");
    }
    if (!std::all_of(node.tables.begin(), node.tables.end(), is_view)) return broken(node, "names no table");
    if (!is_memory(node.op) && node.after != kNone) return broken(node, "takes a token but is no memory operation");
    if ((node.op == Op::kCheck || node.op == Op::kWhen) &&
        (node.chain.size() < 2 || node.relations.size() + 1 != node.chain.size())) {
      return broken(node, "compares fewer than two terms");
    }
    if ((node.fault == DeviceFault::kNone) != (node.fault_index == kNone)) {
      return broken(node, "needs an index with a fault, and only then");
    }
    return {};
  }

  Status check_use(const Node& node, ValueId v, Type type) const {
    if (v >= program_.value_count() || !visible_[v])
      return broken(node, "uses a value that is not defined before it here");
    if (program_.type_of(v) != type) {
      return broken(
          node, fmt::format("needs %{} to be a {}", program_.name_of(v), type == Type::kToken ? "token" : "scalar"));
    }
    return {};
  }

  Status check_uses(const Node& node) const {
    const Type type = node.op == Op::kJoin ? Type::kToken : Type::kScalar;
    for (ValueId v : node.operands) TAILOR_RETURN_IF_ERROR(check_use(node, v, type));
    for (ValueId v : node.indices) TAILOR_RETURN_IF_ERROR(check_use(node, v, Type::kScalar));
    for (ValueId v : node.source_indices) TAILOR_RETURN_IF_ERROR(check_use(node, v, Type::kScalar));
    for (ValueId v : node.table_indices) TAILOR_RETURN_IF_ERROR(check_use(node, v, Type::kScalar));
    if (node.after != kNone) TAILOR_RETURN_IF_ERROR(check_use(node, node.after, Type::kToken));
    if (node.fault_index != kNone) TAILOR_RETURN_IF_ERROR(check_use(node, node.fault_index, Type::kScalar));
    for (const Term& t : node.chain) {
      if (t.value != kNone) {
        TAILOR_RETURN_IF_ERROR(check_use(node, t.value, Type::kScalar));
      } else {
        TAILOR_RETURN_IF_ERROR(check_extent(t.extent, "a term of a check"));
      }
    }
    return {};
  }

  Status define(const Node& node, std::vector<ValueId>& defined) {
    const bool makes_token = is_memory(node.op) || node.op == Op::kToken || node.op == Op::kJoin;
    for (size_t i = 0; i < node.results.size(); ++i) {
      const ValueId v = node.results[i];
      if (!ever_.insert(v).second) return broken(node, fmt::format("defines %{} again", program_.name_of(v)));
      const Type type = makes_token && i + 1 == node.results.size() ? Type::kToken : Type::kScalar;
      if (program_.type_of(v) != type)
        return broken(node, fmt::format("gives %{} the wrong type", program_.name_of(v)));
      if (type == Type::kToken) makers_[v] = &node;
      visible_[v] = true;
      defined.push_back(v);
    }
    return {};
  }

  // Every index within its dimension; `trailing` dimensions are moved whole and take no index.
  Status check_bounds(const Node& node, ViewId view_id, const std::vector<ValueId>& indices, size_t trailing) const {
    const View& view = program_.views()[view_id];
    if (indices.size() + trailing != view.dims.size()) {
      return broken(
          node, fmt::format("gives @{} {} indices; it has {} dimensions{}", view.name, indices.size(), view.dims.size(),
                            trailing == 0   ? ""
                            : trailing == 1 ? ", one of them moved whole"
                                            : ", two of them moved whole"));
    }
    for (size_t i = 0; i < indices.size(); ++i) {
      const Term index = term(indices[i]), extent{kNone, view.dims[i].extent};
      if (!known_.shows(constant(0), Relation::kLessEqual, index)) {
        return broken(node, fmt::format("indexes @{} with %{}, which is not shown to be >= 0", view.name,
                                        program_.name_of(indices[i])));
      }
      if (!known_.shows(index, Relation::kLess, extent)) {
        return broken(node, fmt::format("indexes @{} with %{}, which is not shown to be < {}", view.name,
                                        program_.name_of(indices[i]), to_string(extent.extent)));
      }
    }
    return {};
  }

  Status check_rules(const Node& loop, const Node& node) const {
    switch (node.op) {
      case Op::kToken:
      case Op::kJoin:
        return {};
      case Op::kLoad:
        if (program_.views()[node.view].element_bytes != 4 && program_.views()[node.view].element_bytes != 8)
          return broken(node, "loads a scalar from a view that is not int32 or int64");
        return check_bounds(node, node.view, node.indices, 0);
      case Op::kSearch: {
        const View& view = program_.views()[node.view];
        if (loop.op != Op::kRows || &node != &loop.body.front())
          return broken(node, "must be the first node of a rows loop");
        if (node.operands[0] != loop.results[0]) return broken(node, "must search for the loop's row");
        if (view.dims.size() != 1 || view.element_bytes != 4) return broken(node, "needs a one-dimensional int32 view");
        if (view.dims[0].extent.exact || view.dims[0].extent.offset != 1) {
          return broken(node, "needs a view of symbol + 1 offsets");
        }
        return {};
      }
      case Op::kAdd: {
        if (!in_limit(node.immediate)) return broken(node, "adds a constant beyond 2^40");
        const Term a = term(node.operands[0]);
        if (!known_.shows_at_most(a, node.immediate, constant(kScalarMax)) ||
            !known_.shows_at_most(constant(-kScalarMax - 1), -node.immediate, a)) {
          return broken(node, "may overflow 32 bits");
        }
        return {};
      }
      case Op::kSub:
        if (!known_.shows(constant(0), Relation::kLessEqual, term(node.operands[1])) ||
            !known_.shows(term(node.operands[1]), Relation::kLessEqual, term(node.operands[0]))) {
          return broken(node, "is not shown to have 0 <= b <= a");
        }
        return {};
      case Op::kSum:
        for (ValueId operand : node.operands) {
          if (known_.shows(constant(0), Relation::kLessEqual, term(operand))) continue;
          return broken(node, fmt::format("adds %{}, which is not shown to be >= 0", program_.name_of(operand)));
        }
        TAILOR_RETURN_IF_ERROR(check_extent(node.extent, "the bound of a sum"));
        return check_report(node);
      case Op::kResolve:
        if (node.extent.exact ? *node.extent.exact < 1 || *node.extent.exact > kScalarMax
                              : node.extent.symbol.empty() || node.extent.offset != 0)
          return broken(node, "divides by a number outside [1, 2^31), or by no plain symbol");
        if (!known_.shows(constant(0), Relation::kLessEqual, term(node.operands[0]))) {
          return broken(node, "divides a scalar that is not shown to be >= 0");
        }
        return {};
      case Op::kCheck:
        return check_report(node);
      case Op::kWhen:
        return {};
      case Op::kCopy:
        if (loop.op == Op::kEach) return broken(node, "writes in a loop over promises");
        return check_copy(node);
      case Op::kConvert:
        if (loop.op == Op::kEach) return broken(node, "writes in a loop over promises");
        return check_convert(node);
      case Op::kRotate:
        if (loop.op == Op::kEach) return broken(node, "writes in a loop over promises");
        return check_rotate(node);
      case Op::kFill:
        if (loop.op == Op::kEach) return broken(node, "writes in a loop over promises");
        return check_fill(node);
      case Op::kTranspose:
        if (loop.op != Op::kRows || &node != &loop.body.back() || loop.body.front().op != Op::kSearch) {
          return broken(node, "must end a rows loop that begins with a search");
        }
        return check_transpose(loop, node);
      case Op::kEach:
      case Op::kRows:
        break;
    }
    return broken(node, "is a loop within a loop");
  }

  Status check_report(const Node& node) const {
    if (node.fault == DeviceFault::kNone || !program_.status().empty()) return {};
    return broken(node, "has no status word to report to");
  }

  Status check_fill(const Node& node) const {
    const View& target = program_.views()[node.view];
    if (target.role != Role::kWrite) return broken(node, "writes a view declared read");
    if (target.dims.size() < 3) return broken(node, "needs a view with trailing [H, D]");
    for (size_t back = 1; back <= 2; ++back) {
      const Extent& e = target.dims[target.dims.size() - back].extent;
      if (!e.exact || *e.exact < 1) return broken(node, "needs an exact, positive [H, D]");
    }
    if (node.extent.exact || node.extent.symbol.empty() || node.extent.offset != 0) {
      return broken(node, "takes the bits of an element from a plain symbol");
    }
    return check_bounds(node, node.view, node.indices, 2);
  }

  Status check_transpose(const Node& loop, const Node& node) const {
    const View &target = program_.views()[node.view], &source = program_.views()[node.source];
    if (target.role != Role::kWrite) return broken(node, "writes a view declared read");
    if (source.role != Role::kRead) return broken(node, "reads a view declared write");
    if (target.element_bytes != source.element_bytes) return broken(node, "moves between elements of different size");
    if (target.dims.size() != 3 || source.dims.size() != 3) return broken(node, "needs views [rows, 1, D]");
    for (const View* view : {&target, &source}) {
      const Extent &one = view->dims[1].extent, &d = view->dims[2].extent;
      if (one.exact != int64_t{1} || !d.exact || *d.exact < 1 || d.exact != source.dims[2].extent.exact) {
        return broken(node, "needs the same exact, positive D on both sides, and 1 before it");
      }
    }
    const int64_t d = *target.dims[2].extent.exact;
    if (target.dims[0].stride.exact != d * target.element_bytes ||
        (d > 1 && target.dims[2].stride.exact != int64_t{target.element_bytes})) {
      return broken(node, "needs a dense view to write to");
    }
    if (node.indices.size() != 2 || node.source_indices != std::vector<ValueId>{loop.results[0]}) {
      return broken(node, "takes begin and end of the target and the loop's row of the source");
    }
    const Term begin = term(node.indices[0]), row = term(loop.results[0]), end = term(node.indices[1]);
    if (!known_.shows(constant(0), Relation::kLessEqual, begin) || !known_.shows(begin, Relation::kLessEqual, row) ||
        !known_.shows(row, Relation::kLess, end) ||
        !known_.shows(end, Relation::kLessEqual, {kNone, target.dims[0].extent})) {
      return broken(node, "is not shown to have 0 <= begin <= row < end <= rows of its target");
    }
    if (node.immediate < 1 || node.immediate > 16 || !std::has_single_bit(static_cast<uint64_t>(node.immediate))) {
      return broken(node, "moves groups of rows; their size must be a power of two of at most 16");
    }
    for (ValueId offset : node.indices) {
      if (!shows_multiple(loop, offset, node.immediate)) {
        return broken(
            node, fmt::format("is not shown to have %{} a multiple of {}", program_.name_of(offset), node.immediate));
      }
    }
    return check_bounds(node, node.source, node.source_indices, 2);
  }

  // By a resolve whose remainder is known to be 0.
  bool shows_multiple(const Node& loop, ValueId value, int64_t divisor) const {
    if (divisor == 1) return true;
    return std::any_of(loop.body.begin(), loop.body.end(), [&](const Node& node) {
      return node.op == Op::kResolve && node.operands[0] == value && node.extent.exact == divisor &&
             known_.shows(term(node.results[1]), Relation::kEqual, constant(0));
    });
  }

  Status check_copy(const Node& node) const {
    if (program_.views()[node.view].element_bytes != program_.views()[node.source].element_bytes) {
      return broken(node, "moves between elements of different size");
    }
    return check_sides(node);
  }

  Status check_convert(const Node& node) const {
    for (ViewId side : {node.view, node.source}) {
      const auto& type = program_.views()[side].type;
      if (!type || !is_float(*type)) return broken(node, "converts between f32, f16, bf16, fp8_e4m3 and fp8_e5m2");
    }
    if (node.tables.size() > 1 || !node.table_indices.empty()) return broken(node, "takes one scale at most");
    for (ViewId id : node.tables) {
      const View& scale = program_.views()[id];
      if (scale.role != Role::kRead || scale.type != DType::kFloat32 || scale.dims.size() != 1 ||
          scale.dims[0].extent.exact != int64_t{1}) {
        return broken(node, "takes its scale from a view of one f32");
      }
    }
    return check_sides(node);
  }

  Status check_rotate(const Node& node) const {
    const View &target = program_.views()[node.view], &source = program_.views()[node.source];
    const auto& type = source.type;
    if (!type || target.type != type || !is_float(*type) || tailor::element_bytes(*type) == 1) {
      return broken(node, "turns elements of f32, f16 or bf16, the same on both sides");
    }
    if (node.tables.size() != 2 || node.table_indices.size() != 1) return broken(node, "takes one row of cos and sin");
    const View& cos = program_.views()[node.tables[0]];
    for (ViewId id : node.tables) {
      const View& table = program_.views()[id];
      if (table.role != Role::kRead || !table.type || (table.type != DType::kFloat32 && table.type != type) ||
          table.type != cos.type || table.dims.size() != 2) {
        return broken(node, "reads cos and sin as rows of f32, or of the elements' type");
      }
      const Dimension& half = table.dims[1];
      if (!half.extent.exact || half.extent.exact != cos.dims[1].extent.exact || *half.extent.exact < 1 ||
          2 * *half.extent.exact > *source.dims.back().extent.exact ||
          (half.stride.exact != int64_t{table.element_bytes} && *half.extent.exact > 1)) {
        return broken(node, "needs dense rows of cos and sin of the same exact length, at most half of D");
      }
      TAILOR_RETURN_IF_ERROR(check_bounds(node, id, node.table_indices, 1));
    }
    return check_sides(node);
  }

  // Both sides of a move.
  Status check_sides(const Node& node) const {
    const View &target = program_.views()[node.view], &source = program_.views()[node.source];
    if (target.role != Role::kWrite) return broken(node, "writes a view declared read");
    if (source.role != Role::kRead) return broken(node, "reads a view declared write");
    if (target.dims.size() < 3 || source.dims.size() < 3) return broken(node, "needs views with trailing [H, D]");
    for (size_t back = 1; back <= 2; ++back) {
      const Extent &a = target.dims[target.dims.size() - back].extent,
                   &b = source.dims[source.dims.size() - back].extent;
      if (!a.exact || !b.exact || *a.exact != *b.exact || *a.exact < 1) {
        return broken(node, "needs the same exact, positive [H, D] on both sides");
      }
    }
    TAILOR_RETURN_IF_ERROR(check_bounds(node, node.view, node.indices, 2));
    return check_bounds(node, node.source, node.source_indices, 2);
  }

  // An earlier access on the way to this one, to a view that either of the two writes, must come before it in token
  // order.
  Status check_order(const Node& node) const {
    if (!is_memory(node.op)) return {};
    for (const Node* earlier : path_) {
      if (!conflicts(*earlier, node)) continue;
      std::set<ValueId> seen;
      if (!waits_for(node.after, earlier->results.back(), seen)) {
        return broken(node, fmt::format("and \"{}\" touch the same view, one writes, and no token orders them",
                                        print_node(program_, *earlier)));
      }
    }
    return {};
  }

  static bool writes(const Node& node) { return is_mover(node.op) || node.op == Op::kTranspose; }

  static bool touches(const Node& node, ViewId view) {
    return node.view == view || node.source == view ||
           std::find(node.tables.begin(), node.tables.end(), view) != node.tables.end();
  }

  static bool conflicts(const Node& a, const Node& b) {
    return (writes(a) && touches(b, a.view)) || (writes(b) && touches(a, b.view));
  }

  // Whether `token` is `wanted` or waits for it.
  bool waits_for(ValueId token, ValueId wanted, std::set<ValueId>& seen) const {
    if (token == kNone || !seen.insert(token).second) return false;
    if (token == wanted) return true;
    const auto maker = makers_.find(token);
    if (maker == makers_.end()) return false;
    if (maker->second->op != Op::kJoin) return waits_for(maker->second->after, wanted, seen);
    return std::any_of(maker->second->operands.begin(), maker->second->operands.end(),
                       [&](ValueId operand) { return waits_for(operand, wanted, seen); });
  }

  const Program& program_;
  std::vector<bool> visible_;
  std::set<ValueId> ever_;
  std::map<ValueId, const Node*> makers_;  // of tokens
  std::vector<const Node*> path_;          // the memory operations on the way to the node at hand
  Known known_;
};

}  // namespace

Status verify(const Program& program) { return Verifier(program).run(); }

}  // namespace tailor::codegen::tile
