#include "codegen/prove/sample_launch.h"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

namespace tailor::codegen::prove {
namespace {

constexpr uint64_t kApart = uint64_t{1} << 44;

class Sampler {
 public:
  Sampler(const Subject& subject, int n, std::mt19937& random)
      : subject_(subject), huge_(n % 4 == 3), random_(random), known_(subject.symbols.size(), false) {
    launch_.symbols.assign(subject.symbols.size(), 0);
  }

  std::optional<SampledLaunch> run() {
    for (const Fact& f : subject_.facts) {
      if (f.kind == FactKind::kExact) set(f.symbol, f.a);
    }
    for (const SymbolProduct& each : subject_.products) {
      if (!draw_product(each)) return std::nullopt;
    }
    const int large = huge_ && !subject_.views.empty() ? pick(0, static_cast<int>(subject_.views.size()) - 1) : -1;
    for (const tile::View& view : subject_.views) {
      for (const tile::Dimension& d : view.dims) draw_extent(d.extent);
    }
    for (size_t v = 0; v < subject_.views.size(); ++v) {
      if (!place(subject_.views[v], static_cast<int>(v) == large)) return std::nullopt;
    }
    if (const int status = find(subject_.status); status >= 0) {
      const bool there = pick(0, 3) != 0;
      set(static_cast<size_t>(status), there ? static_cast<int64_t>(next_ += kApart) : 0);
      launch_.operands.push_back({std::string(subject_.status), there ? next_ : 0, there ? 8u : 0u});
    }
    for (size_t s = 0; s < known_.size(); ++s) {
      if (!known_[s]) set(s, constrained(s, pick(0, 8)));
    }
    for (const Fact& f : subject_.facts) {
      if (!holds(f, launch_.symbols)) return std::nullopt;
    }
    launch_.device = {pick(1, 4), pick(1, 3)};
    launch_.grid = evaluate(subject_.plan.grid[0], launch_.symbols, launch_.device);
    if (launch_.grid <= 0 || launch_.grid > std::numeric_limits<int32_t>::max()) return std::nullopt;
    for (const PlanParameter& p : subject_.plan.parameters) {
      launch_.parameters.push_back(evaluate(p.value, launch_.symbols, launch_.device));
    }
    for (size_t s = 0; s < known_.size(); ++s) {
      launch_.text += fmt::format("{}={} ", subject_.symbols[s].name, launch_.symbols[s]);
    }
    launch_.text += fmt::format("sm_count={} occupancy={}", launch_.device.sm_count, launch_.device.blocks_per_sm);
    return std::move(launch_);
  }

 private:
  int pick(int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(random_); }
  int find(std::string_view name) const {
    for (size_t s = 0; s < subject_.symbols.size(); ++s) {
      if (!name.empty() && subject_.symbols[s].name == name) return static_cast<int>(s);
    }
    return -1;
  }
  void set(size_t symbol, int64_t value) {
    launch_.symbols[symbol] = value;
    known_[symbol] = true;
  }
  int64_t modulus(size_t symbol) const {
    int64_t m = 1;
    for (const Fact& f : subject_.facts) {
      if (f.symbol == symbol && f.kind == FactKind::kDivisible) m = std::max(m, f.a);
    }
    return m;
  }
  // The least value at or above x that the congruences of the symbol allow.
  int64_t constrained(size_t symbol, int64_t x) const {
    for (const Fact& f : subject_.facts) {
      if (f.symbol != symbol) continue;
      if (f.kind == FactKind::kRange) x = std::clamp(x, f.a, f.b);
      if (f.kind == FactKind::kResidue) x += ((f.b - x) % f.a + f.a) % f.a;
    }
    const int64_t m = modulus(symbol);
    return (x + m - 1) / m * m;
  }

  void draw_extent(const tile::Extent& e) {
    if (const int s = find(e.symbol); s >= 0) draw_extent(static_cast<size_t>(s), true);
  }
  void draw_extent(size_t s, bool may_be_large) {
    if (known_[s]) return;
    constexpr int kExtents[] = {0, 1, 1, 2, 2, 3, 4, 5, 9, 17};
    int64_t value = kExtents[pick(0, 9)];
    if (huge_ && may_be_large && pick(0, 2) == 0) value = (int64_t{1} << pick(8, 30)) - pick(0, 1);
    set(s, constrained(s, value));
  }

  // One factor at most is large. False if the product is not what a fact says, or too large.
  bool draw_product(const SymbolProduct& each) {
    constexpr __int128 kLimit = int64_t{1} << 31;
    __int128 product = 1;
    for (uint16_t factor : each.factors) {
      draw_extent(factor, product < 256);
      product *= launch_.symbols[factor];
      if (product >= kLimit) return false;
    }
    if (each.unless_zero >= 0) {
      draw_extent(static_cast<size_t>(each.unless_zero), false);
      if (launch_.symbols[static_cast<size_t>(each.unless_zero)] == 0) product = 0;
    }
    if (known_[each.product]) return launch_.symbols[each.product] == static_cast<int64_t>(product);
    set(each.product, static_cast<int64_t>(product));
    return true;
  }
  int64_t extent(const tile::Extent& e) const {
    const int s = find(e.symbol);
    return s >= 0 ? launch_.symbols[static_cast<size_t>(s)] + e.offset : e.exact.value_or(0);
  }

  // Strides from the innermost dimension out, each beyond the span of those within; the outermost of a large operand as
  // long as its limit allows.
  bool place(const tile::View& view, bool large) {
    const __int128 limit = subject_.index64 ? __int128{1} << 43 : __int128{1} << 31;
    __int128 span = view.element_bytes;
    bool empty = false;
    for (const tile::Dimension& d : view.dims) empty = empty || extent(d.extent) <= 0;
    for (size_t k = view.dims.size(); k-- > 0;) {
      const tile::Dimension& d = view.dims[k];
      const int64_t n = extent(d.extent);
      int64_t stride = d.stride.exact.value_or(0);
      if (const int s = find(d.stride.symbol); !d.stride.exact && s >= 0) {
        const auto symbol = static_cast<size_t>(s);
        if (!known_[symbol]) {
          int64_t value = static_cast<int64_t>((span + d.stride.factor - 1) / d.stride.factor);
          value += pick(0, 2) * modulus(symbol);
          if (large && k == 0 && n > 1) {
            const __int128 room = (limit - span) / (n - 1) / d.stride.factor;
            value = std::max(value, static_cast<int64_t>(room / modulus(symbol) * modulus(symbol)));
          }
          set(symbol, n <= 1 && !empty ? 0 : constrained(symbol, value));
        }
        stride = d.stride.factor * launch_.symbols[symbol];
      }
      if (!empty) span += static_cast<__int128>(n - 1) * stride;
    }
    if (span > limit) return false;
    const int base = find(view.name);
    if (base < 0) return false;
    next_ += kApart;
    const uint64_t address = next_ + static_cast<uint64_t>(modulus(static_cast<size_t>(base)));
    set(static_cast<size_t>(base), static_cast<int64_t>(address));
    launch_.operands.push_back({view.name, address, empty ? 0 : static_cast<uint64_t>(span)});
    return true;
  }

  const Subject& subject_;
  bool huge_;
  std::mt19937& random_;
  std::vector<bool> known_;
  uint64_t next_ = kApart;
  SampledLaunch launch_;
};

}  // namespace

std::optional<SampledLaunch> sample_launch(const Subject& subject, int n, std::mt19937& random) {
  return Sampler(subject, n, random).run();
}

}  // namespace tailor::codegen::prove
