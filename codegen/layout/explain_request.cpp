#include "codegen/layout/explain_request.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/layout/composed_layout.h"

namespace tailor::codegen::layout {
namespace {

constexpr size_t kMaxTextBytes = size_t{1} << 20;
constexpr int kMaxNesting = 64;
constexpr std::ptrdiff_t kMaxColons = 4096;

// symbol - m·⌊symbol / m⌋ = r, the canonical form of "symbol mod m = r", with either sign.
bool add_residue(Facts& facts, const Constraint& fact, Status& status) {
  const std::vector<Term>& terms = fact.expr.terms();
  if (fact.relation != Relation::kZero || terms.size() != 2) return false;
  for (size_t plain = 0; plain < 2; ++plain) {
    const Term& symbol = terms[plain];
    const Term& floor = terms[1 - plain];
    if (symbol.atom.is_floor() || !floor.atom.is_floor()) continue;
    const int64_t sign = symbol.coefficient;
    if ((sign != 1 && sign != -1) || *floor.atom.numerator != AffineExpr::symbol(symbol.atom.symbol)) continue;
    if (floor.coefficient != -sign * floor.atom.denominator) continue;
    const int64_t remainder = -sign * fact.expr.constant();
    if (remainder < 0 || remainder >= floor.atom.denominator) continue;
    status = facts.residue(symbol.atom.symbol, floor.atom.denominator, remainder);
    return true;
  }
  return false;
}

// ±symbol + c = 0 or >= 0.
bool add_bound(Facts& facts, const Constraint& fact, Status& status) {
  using integer::Residue;
  const std::vector<Term>& terms = fact.expr.terms();
  const int64_t c = fact.expr.constant();
  if (terms.size() != 1 || terms[0].atom.is_floor() || c == Residue::kMinusInfinity) return false;
  const int64_t sign = terms[0].coefficient;
  if (sign != 1 && sign != -1) return false;
  const std::string& name = terms[0].atom.symbol;
  if (fact.relation == Relation::kZero) {
    status = facts.exact(name, -sign * c);
  } else {
    status = facts.add(
        name, sign == 1 ? Residue::between(-c, Residue::kPlusInfinity) : Residue::between(Residue::kMinusInfinity, c));
  }
  return true;
}

}  // namespace

Status check_json_text(std::string_view text) {
  if (text.size() > kMaxTextBytes) {
    return invalid_argument(fmt::format("the line is longer than {} bytes", kMaxTextBytes));
  }
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      quoted = c != '"';
      continue;
    }
    quoted = c == '"';
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kMaxNesting) {
      return invalid_argument(fmt::format("position {}: brackets are nested more than {} deep", i, kMaxNesting));
    }
  }
  if (std::count(text.begin(), text.end(), ':') > kMaxColons) {
    return invalid_argument(fmt::format("more than {} members or colons", kMaxColons));
  }
  return {};
}

Status RepeatedMember::status(std::string_view what) const {
  return invalid_argument(fmt::format("{} gives '{}' twice", what, name_.value_or("").substr(0, 40)));
}

Expected<Request> Request::parse(std::string_view json, const std::vector<std::string_view>& allowed) {
  TAILOR_RETURN_IF_ERROR(check_json_text(json));
  Request request;
  RepeatedMember repeated;
  request.object_ = nlohmann::json::parse(json, repeated.callback<nlohmann::json>(), false);
  if (!request.object_.is_object()) return invalid_argument("the request is not one JSON object");
  if (repeated.found()) return repeated.status("the request");
  for (const auto& [name, value] : request.object_.items()) {
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      return invalid_argument(
          fmt::format("the request has a member '{}'; it may have {}", name, fmt::join(allowed, ", ")));
    }
  }
  return request;
}

const nlohmann::json* Request::find(std::string_view name) const {
  const auto found = object_.find(std::string(name));
  return found == object_.end() || found->is_null() ? nullptr : &*found;
}

Expected<int64_t> Request::integer(std::string_view name, int64_t absent, int64_t lo, int64_t hi) const {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return absent;
  const bool fits =
      value->is_number_integer() && !(value->is_number_unsigned() && value->get<uint64_t>() > uint64_t{1} << 62);
  if (!fits || value->get<int64_t>() < lo || value->get<int64_t>() > hi) {
    return invalid_argument(fmt::format("'{}' is {}; it must be an integer from {} to {}", name,
                                        value->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace), lo, hi));
  }
  return value->get<int64_t>();
}

Expected<std::string> Request::text(std::string_view name, const std::string& absent) const {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return absent;
  if (!value->is_string()) return invalid_argument(fmt::format("'{}' must be a string", name));
  return value->get<std::string>();
}

Expected<std::vector<std::string>> Request::texts(std::string_view name) const {
  const nlohmann::json* value = find(name);
  if (value == nullptr) return std::vector<std::string>{};
  if (value->is_string()) return std::vector<std::string>{value->get<std::string>()};
  std::vector<std::string> list;
  if (value->is_array()) {
    for (const auto& item : *value) {
      if (!item.is_string()) break;
      list.push_back(item.get<std::string>());
    }
    if (list.size() == value->size()) return list;
  }
  return invalid_argument(fmt::format("'{}' must be a string or a list of strings", name));
}

Expected<AnyLayout> parse_any_layout(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\n");
  AnyLayout result;
  if (start != std::string_view::npos && text.substr(start, 6) == "layout") {
    TAILOR_ASSIGN_OR_RETURN(result.guarded, GuardedAffineLayout::parse(text));
    return result;
  }
  TAILOR_ASSIGN_OR_RETURN(const ComposedLayout composed, ComposedLayout::parse(text));
  TAILOR_ASSIGN_OR_RETURN(result.guarded, composed.layout().to_guarded());
  const Mode& root = composed.layout().root();
  const std::vector<Mode> modes = root.group ? root.modes : std::vector<Mode>{root};
  for (const Mode& mode : modes) {
    TAILOR_ASSIGN_OR_RETURN(const StridedLayout one, StridedLayout::create(mode));
    result.mode_leaves.push_back(one.leaves().size());
  }
  if (composed.offset() != 0) {
    Piece piece = result.guarded.pieces()[0];
    TAILOR_ASSIGN_OR_RETURN(piece.b[0], piece.b[0].add(AffineExpr(composed.offset())));
    TAILOR_ASSIGN_OR_RETURN(result.guarded, GuardedAffineLayout::create({}, result.guarded.dims(), 1, {piece}));
  }
  if (composed.has_factor()) {
    result.factor = composed.factor();
    const std::string printed = composed.to_string();
    result.factor_text = printed.substr(0, printed.find(" o "));
  }
  return result;
}

Status add_fact(Facts& facts, std::string_view text) {
  std::string spelled;
  for (char c : text) spelled += c == '%' ? std::string(" mod ") : std::string(1, c);
  TAILOR_ASSIGN_OR_RETURN(const Constraint fact, Constraint::parse(spelled));
  Status status;
  if (add_residue(facts, fact, status) || add_bound(facts, fact, status)) return status;
  return facts.constrain(fact);
}

}  // namespace tailor::codegen::layout
