#include "codegen/tile/known.h"

#include <limits>

namespace tailor::codegen::tile {

std::pair<Known::Atom, int64_t> Known::split(const Term& term) {
  if (term.value != kNone) return {Atom{2, term.value, {}}, 0};
  if (term.extent.exact) return {Atom{}, *term.extent.exact};
  return {Atom{1, 0, term.extent.symbol}, term.extent.offset};
}

uint32_t Known::atom(const Atom& a) {
  return atoms_.try_emplace(a, static_cast<uint32_t>(atoms_.size())).first->second;
}

Known::Place Known::place(const Term& term) {
  auto [a, offset] = split(term);
  return {atom(a), offset};
}

// a.atom + a.offset + offset <= b.atom + b.offset
void Known::assume_at_most(const Term& a, int64_t offset, const Term& b) {
  const Place pa = place(a), pb = place(b);
  edges_.push_back({pb.atom, pa.atom, pb.offset - pa.offset - offset});
}

void Known::assume(const Term& a, Relation relation, const Term& b) {
  assume_at_most(a, relation == Relation::kLess ? 1 : 0, b);
  if (relation == Relation::kEqual) assume_at_most(b, 0, a);
}

bool Known::shows(const Term& a, Relation relation, const Term& b) const {
  if (relation == Relation::kEqual && !shows_at_most(b, 0, a)) return false;
  return shows_at_most(a, relation == Relation::kLess ? 1 : 0, b);
}

bool Known::shows_at_most(const Term& a, int64_t offset, const Term& b) const {
  const auto [from_atom, from_offset] = split(b);
  const auto [to_atom, to_offset] = split(a);
  const int64_t wanted = from_offset - to_offset - offset;
  if (from_atom == to_atom) return wanted >= 0;
  // Symbols are in [0, kScalarMax] and values in [-kScalarMax - 1, kScalarMax], whether or not a fact names them.
  constexpr int64_t kFar = std::numeric_limits<int64_t>::max() / 2;
  constexpr uint32_t kZero = 0;
  std::map<Atom, uint32_t> index = atoms_;
  index.try_emplace(from_atom, static_cast<uint32_t>(index.size()));
  index.try_emplace(to_atom, static_cast<uint32_t>(index.size()));
  std::vector<Edge> edges = edges_;
  for (const auto& [a_, id] : index) {
    if (a_.kind == 0) continue;
    edges.push_back({kZero, id, kScalarMax});
    edges.push_back({id, kZero, a_.kind == 1 ? 0 : kScalarMax + 1});
  }
  std::vector<int64_t> distance(index.size(), kFar);
  distance[index.at(from_atom)] = 0;
  for (size_t round = 0; round < index.size(); ++round) {
    bool changed = false;
    for (const Edge& e : edges) {
      if (distance[e.from] < kFar && distance[e.from] + e.weight < distance[e.to]) {
        distance[e.to] = distance[e.from] + e.weight;
        changed = true;
      }
    }
    if (!changed) break;
  }
  return distance[index.at(to_atom)] <= wanted;
}

void Known::learn_index(ValueId index, const Extent& extent) {
  assume(constant(0), Relation::kLessEqual, term(index));
  assume(term(index), Relation::kLess, Term{kNone, extent});
}

void Known::learn(const Program& program, const Node& node) {
  switch (node.op) {
    case Op::kSearch: {  // s in [0, extent - 1); the neighbours are havoced
      const Term extent{kNone, program.views()[node.view].dims[0].extent};
      assume(constant(0), Relation::kLessEqual, term(node.results[0]));
      assume_at_most(term(node.results[0]), 2, extent);
      return;
    }
    case Op::kAdd:
      assume_at_most(term(node.results[0]), -node.immediate, term(node.operands[0]));
      assume_at_most(term(node.operands[0]), node.immediate, term(node.results[0]));
      return;
    case Op::kSub:
      assume(constant(0), Relation::kLessEqual, term(node.results[0]));
      assume(term(node.results[0]), Relation::kLessEqual, term(node.operands[0]));
      return;
    case Op::kSum:
      for (ValueId operand : node.operands) assume(term(operand), Relation::kLessEqual, term(node.results[0]));
      assume(constant(0), Relation::kLessEqual, term(node.results[0]));
      assume(term(node.results[0]), Relation::kLess, Term{kNone, node.extent});
      return;
    case Op::kResolve:
      if (!node.extent.exact) return;
      for (ValueId result : node.results) {
        assume(constant(0), Relation::kLessEqual, term(result));
        assume(term(result), Relation::kLessEqual, term(node.operands[0]));
      }
      assume(term(node.results[1]), Relation::kLess, constant(*node.extent.exact));
      return;
    case Op::kCheck:
    case Op::kWhen:  // of its first body
      for (size_t i = 0; i < node.relations.size(); ++i) assume(node.chain[i], node.relations[i], node.chain[i + 1]);
      return;
    case Op::kToken:
    case Op::kJoin:
    case Op::kLoad:
    case Op::kCopy:
    case Op::kFill:
    case Op::kConvert:
    case Op::kRotate:
    case Op::kTranspose:
    case Op::kEach:
    case Op::kRows:
      return;
  }
}

}  // namespace tailor::codegen::tile
