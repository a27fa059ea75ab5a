#include "codegen/layout/explain.h"

#include <algorithm>

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
};

Expected<Question> read(std::string_view json) {
  TAILOR_ASSIGN_OR_RETURN(const Request request, Request::parse(json, {"layout", "element_bytes", "base_align",
                                                                       "base_residue", "max_vector_bytes", "facts"}));
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

// A run that a guard may shorten is whole or ends at the edge; each may have a known tail where their union has none.
std::string tail_text(const PieceAccess& piece, const VectorWidth& width) {
  if (width.tail_known) return pieces_text(width.tail);
  if (piece.edge_bytes && piece.whole_bytes) {
    const integer::Residue whole = integer::floor_mod(*piece.whole_bytes, width.vector_bytes);
    const integer::Residue edge = integer::floor_mod(*piece.edge_bytes, width.vector_bytes);
    if (whole.is_constant() && edge.is_constant()) {
      return fmt::format("{} where the run is whole, {} at the edge", pieces_text(decompose_tail(0, whole.remainder)),
                         pieces_text(decompose_tail(0, edge.remainder)));
    }
  }
  return "depends on the run length";
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
  json["tail"] = tail_text(piece, width);
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
                    {"depends_on", fmt::format("{}", fmt::join(guard.depends_on, ", "))}});
  }
  return list;
}

Expected<Json> tma_json(const Question& q, const GuardedAffineLayout& layout) {
  if (q.layout.factor) {
    return Json("a map has no xor on the global side: " + q.layout.factor_text + " would have to be its swizzle");
  }
  if (q.elem_bytes > 8) return Json("a tensor map has elements of 1, 2, 4 or 8 bytes");
  TAILOR_ASSIGN_OR_RETURN(const TmaView view, tma_view(layout, q.base, q.elem_bytes, q.facts));
  if (view.legal()) return Json("legal");
  Json reasons = Json::array();
  for (const TmaViolation& broken : view.broken) reasons.push_back(broken.message);
  return reasons;
}

}  // namespace

Expected<std::string> explain_json(std::string_view request) {
  TAILOR_ASSIGN_OR_RETURN(const Question q, read(request));
  TAILOR_ASSIGN_OR_RETURN(const DischargeResult discharged, discharge(q.layout.guarded, q.facts));
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
  TAILOR_ASSIGN_OR_RETURN(json["tma"], tma_json(q, layout));
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tailor::codegen::layout
