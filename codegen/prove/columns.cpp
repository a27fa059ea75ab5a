#include "codegen/prove/columns.h"

namespace tailor::codegen::prove {
namespace {

// end - begin.
struct Segment {
  Polynomial begin, end;
};

std::optional<Segment> segment_of(const Polynomial& length) {
  Segment s;
  if (length.terms().size() != 2) return std::nullopt;
  for (const Term& t : length.terms()) {
    if (t.monomial.degree() != 1) return std::nullopt;
    if (t.coefficient == 1) s.end = Polynomial::term(t.monomial, 1);
    if (t.coefficient == -1) s.begin = Polynomial::term(t.monomial, 1);
  }
  if (s.begin.is_zero() || s.end.is_zero()) return std::nullopt;
  return s;
}

std::optional<Column> column_of(const Operand& operand, const Polynomial& offset, int width, Atom length,
                                Knowledge& knowledge) {
  const std::optional<Segment> segment = segment_of(knowledge.definition(length)->a);
  if (!segment) return std::nullopt;
  Column column;
  for (const Term& t : offset.terms()) {
    Monomial cofactor;
    if (!prove::divide(t.monomial, Monomial::of(length), cofactor)) continue;
    column.offset = column.offset + Polynomial::term(cofactor, t.coefficient);
  }
  // Constants times the length are spelled out: what the segment's end has.
  const Wide steps = offset.coefficient(segment->end.terms()[0].monomial);
  column.offset = column.offset + Polynomial(steps);
  const Polynomial rest = offset - (column.offset - Polynomial(steps)).times(Monomial::of(length), 1) -
                          (segment->end - segment->begin).times({}, steps) -
                          segment->begin.times({}, operand.dims[0].stride.constant() - operand.element);
  if (column.offset.has(length)) return std::nullopt;
  for (const Term& t : rest.terms()) {
    if (t.coefficient % operand.element != 0) return std::nullopt;
    column.row = column.row + Polynomial::term(t.monomial, t.coefficient / operand.element);
  }
  column.rows = width / operand.element;
  column.begin = segment->begin;
  column.end = segment->end;
  const bool inside = width % operand.element == 0 && knowledge.shows_multiple(segment->begin, column.rows) &&
                      knowledge.shows(segment->begin) && knowledge.shows(column.row - segment->begin) &&
                      knowledge.shows(segment->end - column.row - Polynomial(column.rows)) &&
                      knowledge.shows(operand.dims[0].extent - segment->end);
  return inside ? std::optional(column) : std::nullopt;
}

}  // namespace

std::optional<Column> find_column(const Operand& operand, const Polynomial& offset, int width, Knowledge& knowledge) {
  if (operand.dims.empty() || !operand.dims[0].stride.is_constant()) return std::nullopt;
  for (const Term& t : offset.terms()) {
    for (int i = 0; i < t.monomial.degree(); ++i) {
      const Atom a = t.monomial.factor(i);
      if (knowledge.info(a).kind != AtomKind::kNamed) continue;
      if (std::optional<Column> column = column_of(operand, offset, width, a, knowledge)) return column;
    }
  }
  return std::nullopt;
}

}  // namespace tailor::codegen::prove
