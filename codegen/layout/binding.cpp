#include "codegen/layout/binding.h"

#include <algorithm>

namespace tailor::codegen::layout {
namespace {

BindingTime time_or(const Bindings& bindings, std::string_view name, BindingTime absent) {
  const auto found = bindings.times.find(name);
  return found == bindings.times.end() ? absent : found->second;
}

BindingTime time_of(const std::string& name, const std::vector<Dim>& dims, const Facts& facts,
                    const Bindings& bindings) {
  for (const Dim& dim : dims) {
    if (dim.name != name) continue;
    const integer::Residue extent = dim.extent.abstract([&facts](std::string_view p) { return facts.of(p); });
    return extent == integer::Residue::constant(1) ? BindingTime::kStatic : bindings.of_dimension(name);
  }
  return facts.of(name).is_constant() ? BindingTime::kStatic : bindings.of_parameter(name);
}

}  // namespace

std::string_view to_string(BindingTime time) {
  switch (time) {
#define X(name, text, meaning) \
  case BindingTime::name:      \
    return text;
    TAILOR_BINDING_TIMES(X)
#undef X
  }
  return "unknown";
}

std::optional<BindingTime> find_binding_time(std::string_view word) {
#define X(name, text, meaning) \
  if (word == (text)) return BindingTime::name;
  TAILOR_BINDING_TIMES(X)
#undef X
  return std::nullopt;
}

BindingTime Bindings::of_parameter(std::string_view name) const { return time_or(*this, name, BindingTime::kLaunch); }

BindingTime Bindings::of_dimension(std::string_view name) const { return time_or(*this, name, BindingTime::kThread); }

BindingTime binding_of(const AffineExpr& expr, const std::vector<Dim>& dims, const Facts& facts,
                       const Bindings& bindings) {
  BindingTime latest = BindingTime::kStatic;
  for (const std::string& name : expr.symbols()) latest = std::max(latest, time_of(name, dims, facts, bindings));
  return latest;
}

}  // namespace tailor::codegen::layout
