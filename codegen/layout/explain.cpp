#include "codegen/layout/explain.h"

#include <algorithm>
#include <numeric>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/integer/arithmetic.h"
#include "codegen/layout/discharge.h"
#include "codegen/layout/explain_access.h"
#include "codegen/layout/explain_request.h"
#include "codegen/layout/peel.h"
#include "codegen/layout/tma_legality.h"

namespace tailor::codegen::layout {
namespace {

using Json = nlohmann::ordered_json;

struct Question {
  AnyLayout layout;
  int64_t elem_bytes = 2;
  BaseAlignment base;
  int64_t max_vector_bytes = 16;
  Facts facts;
  Bindings bindings;
};

Status read_bindings(const Request& request, Bindings& bindings) {
  const nlohmann::json* object = request.find("bindings");
  if (object == nullptr) return {};
  if (!object->is_object()) return invalid_argument("'bindings' must be an object, {\"M\": \"launch\"}");
  for (const auto& [name, value] : object->items()) {
    const auto time = value.is_string() ? find_binding_time(value.get<std::string>()) : std::nullopt;
    if (!time) {
      std::string known;
#define X(id, text, meaning) known += (known.empty() ? "" : ", ") + std::string(text);
      TAILOR_BINDING_TIMES(X)
#undef X
      return invalid_argument(fmt::format("the binding of '{}' must be one of {}", name, known));
    }
    bindings.times[name] = *time;
  }
  return {};
}

Expected<Question> read(std::string_view json) {
  TAILOR_ASSIGN_OR_RETURN(const Request request,
                          Request::parse(json, {"layout", "element_bytes", "base_align", "base_residue",
                                                "max_vector_bytes", "facts", "bindings"}));
  Question q;
  if (!request.has("layout")) return invalid_argument("the request has no 'layout'");
  TAILOR_ASSIGN_OR_RETURN(const std::string layout, request.text("layout", ""));
  TAILOR_ASSIGN_OR_RETURN(q.layout, parse_any_layout(layout));
  TAILOR_ASSIGN_OR_RETURN(q.elem_bytes, request.integer("element_bytes", 2, 1, 16));
  TAILOR_ASSIGN_OR_RETURN(q.max_vector_bytes, request.integer("max_vector_bytes", 16, 1, 1 << 20));
  TAILOR_ASSIGN_OR_RETURN(q.base.modulus, request.integer("base_align", 16, 1, int64_t{1} << 40));
  TAILOR_ASSIGN_OR_RETURN(q.base.residue, request.integer("base_residue", 0, 0, q.base.modulus - 1));
  TAILOR_ASSIGN_OR_RETURN(const std::vector<std::string> facts, request.texts("facts"));
  for (const std::string& fact : facts) TAILOR_RETURN_IF_ERROR(add_fact(q.facts, fact));
  TAILOR_RETURN_IF_ERROR(read_bindings(request, q.bindings));
  if (q.layout.guarded.outputs() != 1) {
    return invalid_argument(fmt::format("the layout has {} outputs; an access has one", q.layout.guarded.outputs()));
  }
  return q;
}

// The longest aligned run of values that the xor factor moves as a whole: 2^k where the low k bits stay and no other
// bit is added to them.
int64_t unbroken_elements(const integer::F2Map& factor) {
  const std::vector<uint64_t>& columns = factor.columns();
  int k = 0;
  for (bool whole = true; whole && k < static_cast<int>(columns.size());) {
    const uint64_t bit = uint64_t{1} << k;
    for (size_t j = 0; j < columns.size(); ++j) {
      whole = whole && (static_cast<int>(j) == k ? columns[j] == bit : (columns[j] & bit) == 0);
    }
    k += whole ? 1 : 0;
  }
  return int64_t{1} << k;
}

std::string pieces_text(const std::vector<TailPiece>& tail) {
  if (tail.empty()) return "none";
  std::vector<int64_t> widths;
  for (const TailPiece& piece : tail) widths.push_back(piece.width);
  return fmt::format("{} bytes", fmt::join(widths, "+"));
}

// "8+2 bytes: 74 = 4*16 + 8 + 2". A run that a guard may shorten is whole or ends at the edge; each may have a known
// tail where their union has none.
std::string tail_text(const PieceAccess& piece, const VectorWidth& width, int64_t elem_bytes) {
  const integer::Residue& run = piece.access.run_bytes;
  if (width.tail_known) {
    std::string text = pieces_text(width.tail);
    if (width.tail.empty()) return text;
    if (!run.is_constant())
      return text + fmt::format(": the run is {} more than vectors of {}", run.remainder % width.vector_bytes,
                                width.vector_bytes);
    text += fmt::format(": {} = ", run.remainder);
    if (*width.vectors_per_run > 0) text += fmt::format("{}*{} + ", *width.vectors_per_run, width.vector_bytes);
    std::vector<int64_t> widths;
    for (const TailPiece& part : width.tail) widths.push_back(part.width);
    return text + fmt::format("{}", fmt::join(widths, " + "));
  }
  if (piece.edge_bytes && piece.whole_bytes) {
    const integer::Residue whole = integer::floor_mod(*piece.whole_bytes, width.vector_bytes);
    const integer::Residue edge = integer::floor_mod(*piece.edge_bytes, width.vector_bytes);
    if (whole.is_constant() && edge.is_constant()) {
      return fmt::format("{} where the run is whole, {} at the edge", pieces_text(decompose_tail(0, whole.remainder)),
                         pieces_text(decompose_tail(0, edge.remainder)));
    }
  }
  if (piece.lengths.empty()) return "not known: " + width.tail_reason;
  std::vector<std::string> names;
  for (const AffineExpr& length : piece.lengths) names.push_back(length.to_string());
  return fmt::format("any of {} bytes, it depends on {}: the residue of {} mod {} would fix it",
                     elem_bytes == width.vector_bytes / 2
                         ? fmt::format("0 and {}", elem_bytes)
                         : fmt::format("0, {} … {}", elem_bytes, width.vector_bytes - elem_bytes),
                     fmt::join(names, " and "), names.size() == 1 ? "it" : "each", width.vector_bytes / elem_bytes);
}

// A guard that cuts runs: which one, and what would have to hold for it never to.
Expected<std::string> cut_reason(const GuardedAffineLayout& layout, const PieceAccess& piece, int64_t narrow,
                                 int64_t wide) {
  std::vector<std::string> parts;
  for (const Constraint& cut : piece.cuts) {
    std::string part = fmt::format("the guard {} may cut through a vector", cut.to_string());
    Piece alone = layout.pieces()[0];
    alone.guard = {cut};
    TAILOR_ASSIGN_OR_RETURN(const GuardedAffineLayout one,
                            GuardedAffineLayout::create(layout.parameters(), layout.dims(), 1, {alone}));
    std::set<std::string> inner;
    for (const Dim& dim : layout.dims()) {
      if (dim.extent.is_constant() && cut.expr.depends_on(dim.name)) inner.insert(dim.name);
    }
    TAILOR_ASSIGN_OR_RETURN(const BodyAndFringe split, split_body_fringe(one, inner));
    for (const Piece& body : split.body.pieces()) {
      for (const Constraint& fact : body.guard) {
        part += fmt::format("; the fact {} would allow {}", fact.to_string(), wide);
      }
    }
    parts.push_back(std::move(part));
  }
  return fmt::format("vector {}: {}", narrow, fmt::join(parts, "; and "));
}

// Heads that bring every row to full vectors, where all rows start at the same misaligned phase.
std::string peel_text(const PieceAccess& piece, const Facts& facts, int64_t max_vector_bytes, int64_t elem_bytes) {
  integer::Residue start = integer::Residue::congruent(piece.access.base.modulus, piece.access.base.residue);
  for (const OuterDim& dim : piece.access.outer) {
    integer::Residue stride = integer::Residue::constant(dim.stride.value);
    if (!dim.stride.is_constant()) {
      stride = integer::meet(facts.of(dim.stride.symbol), integer::Residue::multiple_of(dim.stride.divisor))
                   .value_or(integer::Residue::multiple_of(dim.stride.divisor));
    }
    start = start + integer::Residue::multiple_of(std::max<int64_t>(1, stride.known_divisor())) * elem_bytes;
  }
  const integer::Residue& run = piece.access.run_bytes;
  const bool same_phase = start.modulus % max_vector_bytes == 0 && start.remainder % max_vector_bytes != 0;
  if (!same_phase || !run.is_constant() || run.remainder < max_vector_bytes || run.remainder > kMaxPeelBytes) return "";
  std::vector<int64_t> widths;
  for (const TailPiece& p : peel(run.remainder, {start.modulus, start.remainder}, max_vector_bytes)) {
    widths.push_back(p.width);
  }
  return fmt::format("every run starts at {} mod {}; peeled it is {} bytes", start.remainder % max_vector_bytes,
                     max_vector_bytes, fmt::join(widths, "+"));
}

template <class List, class Text>
std::string join_texts(const List& list, const Text& text) {
  std::string all;
  for (const auto& item : list) all += (all.empty() ? "" : " and ") + text(item);
  return all;
}

// Guards seen from the run: what ends it, what cuts it, what is one test for all of it.
std::string edge_text(const PieceAccess& piece) {
  const auto text = [](const Constraint& c) { return c.to_string(); };
  std::vector<std::string> parts;
  if (!piece.run_edges.empty()) parts.push_back("the run ends at " + join_texts(piece.run_edges, text));
  if (!piece.cuts.empty()) {
    parts.push_back(join_texts(piece.cuts, text) +
                    " may cut through a vector: wide where it holds for all of it, a test per element at the edge");
  }
  if (!piece.per_run.empty()) parts.push_back(join_texts(piece.per_run, text) + " is one test per run");
  return fmt::format("{}", fmt::join(parts, "; "));
}

struct PieceAnswer {
  Json json;
  int64_t vector_bytes = 0;
};

Expected<PieceAnswer> explain_piece(const Question& q, const GuardedAffineLayout& layout) {
  TAILOR_ASSIGN_OR_RETURN(const PieceAccess piece, piece_access(layout, q.base, q.elem_bytes, q.facts));
  TAILOR_ASSIGN_OR_RETURN(VectorWidth width, vector_width(piece.access, q.elem_bytes, q.facts, q.max_vector_bytes));
  std::string reason = width.reason;
  const bool short_run = piece.access.run_bytes.hi < 2 * width.vector_bytes && width.vector_bytes < q.max_vector_bytes;
  if (short_run && !piece.short_run.empty()) reason += "; " + piece.short_run;
  if (q.layout.factor) {
    const int64_t elements = unbroken_elements(*q.layout.factor);
    // A factor that tears nothing within the widest vector does not limit.
    if (elements < width.vector_bytes / q.elem_bytes) {
      const int64_t limit = elements * q.elem_bytes;
      reason = fmt::format("vector {}: {} keeps only {} elements = {} bytes together; a larger M would allow {}", limit,
                           q.layout.factor_text, elements, limit, 2 * limit);
      TAILOR_ASSIGN_OR_RETURN(width, vector_width(piece.access, q.elem_bytes, q.facts, limit));
    }
  }
  PieceAnswer answer;
  answer.vector_bytes = piece.cuts.empty() ? width.vector_bytes : q.elem_bytes;
  Json& json = answer.json;
  json["run"] = piece.run.empty() ? "one element: no dimension has stride 1" : piece.run;
  json["run_bytes"] = integer::to_string(piece.access.run_bytes);
  json["vector_bytes"] = answer.vector_bytes;
  if (!piece.cuts.empty()) json["body_vector_bytes"] = width.vector_bytes;
  if (width.vectors_per_run) json["vectors_per_run"] = *width.vectors_per_run;
  json["tail"] = tail_text(piece, width, q.elem_bytes);
  if (!piece.cuts.empty() && width.vector_bytes > q.elem_bytes) {
    TAILOR_ASSIGN_OR_RETURN(const std::string cut, cut_reason(layout, piece, q.elem_bytes, width.vector_bytes));
    reason = fmt::format("{}; away from it {}", cut, reason);
  }
  json["reason"] = reason;
  if (const std::string edge = edge_text(piece); !edge.empty()) json["edge"] = edge;
  if (const std::string peeled = peel_text(piece, q.facts, q.max_vector_bytes, q.elem_bytes); !peeled.empty()) {
    json["peel"] = peeled;
  }
  return answer;
}

Json guards_json(const DischargeResult& result) {
  Json list = Json::array();
  for (const GuardReport& guard : result.guards) {
    const std::string_view verdict = guard.verdict == Verdict::kProved    ? "proved: it vanishes"
                                     : guard.verdict == Verdict::kRefuted ? "refuted: its piece vanishes"
                                                                          : "left";
    list.push_back({{"constraint", guard.constraint.to_string()},
                    {"verdict", verdict},
                    {"depends_on", fmt::format("{}", fmt::join(guard.depends_on, ", "))},
                    {"binding", to_string(guard.binding)}});
  }
  return list;
}

// "M - 128 >= 0", the pieces of a domain joined by "or".
std::string domain_text(const GuardedAffineLayout& layout) {
  if (layout.pieces().empty()) return "nowhere";
  std::vector<std::string> pieces;
  for (const Piece& piece : layout.pieces()) {
    if (piece.guard.empty()) return "everywhere";
    pieces.push_back(join_texts(piece.guard, [](const Constraint& c) { return c.to_string(); }));
  }
  return fmt::format("{}", fmt::join(pieces, " or "));
}

// Dimensions from the slowest to the fastest, symbolic strides first, so that coalesce finds neighbours.
Expected<GuardedAffineLayout> slowest_first(const GuardedAffineLayout& layout) {
  std::vector<size_t> order(layout.rank());
  std::iota(order.begin(), order.end(), size_t{0});
  const std::vector<AffineExpr>& strides = layout.pieces()[0].a[0];
  std::stable_sort(order.begin(), order.end(), [&strides](size_t x, size_t y) {
    if (!strides[x].is_constant() || !strides[y].is_constant()) {
      return !strides[x].is_constant() && strides[y].is_constant();
    }
    return strides[x].constant() > strides[y].constant();
  });
  std::vector<Dim> dims;
  std::vector<Piece> pieces = layout.pieces();
  for (size_t k = 0; k < order.size(); ++k) {
    dims.push_back(layout.dims()[order[k]]);
    for (size_t p = 0; p < pieces.size(); ++p) pieces[p].a[0][k] = layout.pieces()[p].a[0][order[k]];
  }
  return GuardedAffineLayout::create(layout.parameters(), std::move(dims), 1, std::move(pieces));
}

// A map may describe the coalesced layout as well, whose strides are fewer; a whole dimension may be what a rule wants.
Expected<Json> tma_json(const Question& q, const GuardedAffineLayout& layout) {
  if (q.layout.factor) {
    return Json("a map has no xor on the global side: " + q.layout.factor_text + " would have to be its swizzle");
  }
  if (q.elem_bytes > 8) return Json("a tensor map has elements of 1, 2, 4 or 8 bytes");
  TAILOR_ASSIGN_OR_RETURN(TmaView view, tma_view(layout, q.base, q.elem_bytes, q.facts));
  if (view.legal()) return Json("legal");
  if (layout.pieces().size() == 1) {
    TAILOR_ASSIGN_OR_RETURN(GuardedAffineLayout merged, slowest_first(layout));
    TAILOR_ASSIGN_OR_RETURN(merged, merged.coalesce());
    TAILOR_ASSIGN_OR_RETURN(TmaView coalesced, tma_view(merged, q.base, q.elem_bytes, q.facts));
    if (coalesced.legal()) {
      std::vector<std::string> extents;
      for (const TmaAxis& axis : coalesced.axes) {
        extents.push_back(axis.extent.is_constant() ? fmt::to_string(axis.extent.remainder) : axis.name);
      }
      return Json(fmt::format("legal when coalesced to [{}], innermost first", fmt::join(extents, ", ")));
    }
    if (coalesced.broken.size() < view.broken.size()) view = std::move(coalesced);
  }
  Json reasons = Json::array();
  for (const TmaViolation& broken : view.broken) reasons.push_back(broken.message);
  return reasons;
}

}  // namespace

Expected<std::string> explain_json(std::string_view request) {
  TAILOR_ASSIGN_OR_RETURN(const Question q, read(request));
  TAILOR_ASSIGN_OR_RETURN(const DischargeResult discharged, discharge(q.layout.guarded, q.facts, q.bindings));
  const GuardedAffineLayout& layout = discharged.layout;
  Json json;
  json["vector_bytes"] = q.max_vector_bytes;
  int64_t least = q.max_vector_bytes;
  Json pieces = Json::array();
  for (const Piece& piece : layout.pieces()) {
    TAILOR_ASSIGN_OR_RETURN(const GuardedAffineLayout one,
                            GuardedAffineLayout::create(layout.parameters(), layout.dims(), 1, {piece}));
    TAILOR_ASSIGN_OR_RETURN(PieceAnswer answer, explain_piece(q, one));
    least = std::min(least, answer.vector_bytes);
    if (layout.pieces().size() > 1) answer.json["values"] = piece.b[0].to_string();
    pieces.push_back(std::move(answer.json));
  }
  json["vector_bytes"] = least;
  json["pieces"] = std::move(pieces);
  if (!discharged.guards.empty()) json["guards"] = guards_json(discharged);
  if (!discharged.unconditional()) {
    json["body"] = domain_text(discharged.split.body);
    if (discharged.decided) json["body_decided"] = to_string(*discharged.decided);
    json["fringe"] = domain_text(discharged.split.fringe);
  }
  TAILOR_ASSIGN_OR_RETURN(json["tma"], tma_json(q, layout));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tailor::codegen::layout
