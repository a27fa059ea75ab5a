#include "codegen/layout/vector_width.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "codegen/integer/arithmetic.h"

namespace tailor::codegen::layout {
namespace {

using integer::Checked;
using integer::Residue;

// One generator of the lattice of addresses at which a row or run may start, with what a reader needs to widen it.
struct Generator {
  std::string what;       // "stride of h in pages is 37 elements = 74 bytes"
  std::string remedy;     // "padding it to a multiple of"; the amount and its unit follow
  bool in_bytes = false;  // the unit of the remedy: bytes, else elements
  bool exact = true;      // `what` is a number, of which divisors can be told
  int64_t alignment = 1;  // largest power of two that divides it, capped
};

int64_t floor_pow2(int64_t value) { return int64_t{1} << (63 - __builtin_clzll(static_cast<uint64_t>(value))); }

int64_t pow2_part(int64_t value, int64_t cap) {
  return value == 0 ? cap : std::min(cap, int64_t{1} << std::min(integer::pow2_valuation(value), 62));
}

// A symbolic stride with everything the facts add; a stride that the facts fix becomes a constant.
Expected<Stride> resolve(const Stride& stride, const Facts& facts) {
  if (stride.is_constant()) return stride;
  if (stride.divisor < 1) {
    return invalid_argument(
        fmt::format("divisor of stride {} is {}; it must be at least 1", stride.symbol, stride.divisor));
  }
  Residue known = facts.of(stride.symbol);
  std::optional<Residue> both = integer::meet(known, Residue::multiple_of(stride.divisor));
  if (!both) {
    return invalid_argument(fmt::format("facts on stride {} contradict: {} and a multiple of {}", stride.symbol,
                                        integer::to_string(known), stride.divisor));
  }
  if (both->is_constant()) return Stride::constant(both->remainder);
  return Stride::symbolic(stride.symbol, both->known_divisor());
}

Expected<Generator> stride_generator(const std::string& dim, const std::string& operand, const Stride& stride,
                                     int64_t elem_bytes, int64_t cap, int64_t elem_cap) {
  Generator g;
  if (stride.is_constant()) {
    Checked bytes = Checked(stride.value) * elem_bytes;
    if (!bytes.ok()) return integer::overflow_error(fmt::format("stride of {} in {} in bytes", dim, operand));
    g.what = fmt::format("stride of {} in {} is {} elements = {} bytes", dim, operand, stride.value, bytes.value());
    g.alignment = pow2_part(bytes.value(), cap);
    g.remedy = "padding it to a multiple of";
  } else {
    const bool one = stride.divisor == 1;
    g.what = fmt::format("stride {} of {} in {} is only known to be a multiple of {} element{} of {} bytes",
                         stride.symbol, dim, operand, stride.divisor, one ? "" : "s", elem_bytes);
    g.exact = false;
    g.alignment = std::min(cap, pow2_part(stride.divisor, elem_cap) * elem_bytes);
    g.remedy = fmt::format("the fact that {} is a multiple of", stride.symbol);
  }
  return g;
}

Expected<Generator> base_generator(const std::string& operand, const BaseAlignment& base, int64_t elem_bytes,
                                   int64_t cap) {
  if (base.modulus < 1) {
    return invalid_argument(fmt::format("base modulus of {} is {}; it must be at least 1 byte", operand, base.modulus));
  }
  Residue known = Residue::congruent(base.modulus, base.residue);
  Generator g;
  g.alignment = known.known_alignment(cap);
  if (g.alignment < std::min(elem_bytes, cap)) {
    return invalid_argument(fmt::format("base of {} is {} mod {} bytes; it must be aligned to the element ({} bytes)",
                                        operand, known.remainder, base.modulus, elem_bytes));
  }
  g.what = known.remainder == 0
               ? fmt::format("base of {} is only known to be aligned to {} bytes", operand, g.alignment)
               : fmt::format("base of {} is {} mod {} bytes", operand, known.remainder, base.modulus);
  g.exact = known.remainder != 0;
  g.remedy = "aligning it to";
  g.in_bytes = true;
  return g;
}

Status check_sizes(int64_t elem_bytes, int64_t max_vector_bytes) {
  if (elem_bytes < 1 || elem_bytes > 16 || !integer::is_pow2(static_cast<uint64_t>(elem_bytes))) {
    return invalid_argument(fmt::format("element size is {} bytes; it must be 1, 2, 4, 8 or 16", elem_bytes));
  }
  if (max_vector_bytes < elem_bytes || !integer::is_pow2(static_cast<uint64_t>(max_vector_bytes))) {
    return invalid_argument(fmt::format("largest vector is {} bytes; it must be a power of two of at least {}",
                                        max_vector_bytes, elem_bytes));
  }
  return {};
}

int64_t joint_alignment(const std::vector<Generator>& generators, int64_t cap) {
  for (const Generator& g : generators) cap = std::min(cap, g.alignment);
  return cap;
}

// The obstacles to twice the width, each with its remedy; `short_run` names a run that is itself shorter than that.
std::string explain(int64_t width, int64_t max_vector_bytes, int64_t elem_bytes,
                    const std::vector<Generator>& generators, const std::string& short_run) {
  if (width == max_vector_bytes) {
    return fmt::format("vector {}: the widest allowed; every base and stride is a multiple of it", width);
  }
  int64_t wider = 2 * width;
  std::vector<std::string> obstacles;
  for (const Generator& g : generators) {
    if (g.alignment >= wider) continue;
    const std::string divisors = g.exact ? fmt::format(", a multiple of {} but not of {}", g.alignment, wider) : "";
    obstacles.push_back(fmt::format("{}{}; {} {} {} would allow {}", g.what, divisors, g.remedy,
                                    g.in_bytes ? wider : wider / elem_bytes, g.in_bytes ? "bytes" : "elements", wider));
  }
  if (!short_run.empty()) obstacles.push_back(short_run);
  return fmt::format("vector {}: {}", width, fmt::join(obstacles, "; and "));
}

struct Side {
  const CopySide* source = nullptr;
  std::vector<Stride> strides;  // resolved, one per space dimension
  std::vector<Generator> generators;
};

Status add_outer_generators(const std::vector<OuterDim>& outer, const std::string& operand, const Facts& facts,
                            int64_t elem_bytes, int64_t cap, std::vector<Generator>& generators) {
  for (const OuterDim& dim : outer) {
    if (dim.extent < OuterDim::kUnknownExtent) {
      return invalid_argument(
          fmt::format("extent of {} in {} is {}; it must not be negative", dim.name, operand, dim.extent));
    }
    if (dim.extent == 0 || dim.extent == 1) continue;
    TAILOR_ASSIGN_OR_RETURN(Stride stride, resolve(dim.stride, facts));
    TAILOR_ASSIGN_OR_RETURN(Generator g, stride_generator(dim.name, operand, stride, elem_bytes, cap, cap));
    generators.push_back(std::move(g));
  }
  return {};
}

Expected<Side> prepare(const CopySide& copy, const CopySpace& space, const Facts& facts, int64_t elem_bytes,
                       int64_t cap) {
  if (copy.within.size() != space.dims.size()) {
    return invalid_argument(fmt::format("{} has {} strides within a row; the row has {} dimensions", copy.operand,
                                        copy.within.size(), space.dims.size()));
  }
  Side side;
  side.source = &copy;
  TAILOR_ASSIGN_OR_RETURN(Generator base, base_generator(copy.operand, copy.base, elem_bytes, cap));
  side.generators.push_back(std::move(base));
  TAILOR_RETURN_IF_ERROR(add_outer_generators(copy.outer, copy.operand, facts, elem_bytes, cap, side.generators));
  for (const Stride& stride : copy.within) {
    TAILOR_ASSIGN_OR_RETURN(Stride resolved, resolve(stride, facts));
    side.strides.push_back(std::move(resolved));
  }
  return side;
}

// Elements from the row's element 0 to where the copy starts.
struct Starts {
  Checked src = 0;
  Checked dst = 0;
  bool any = false;
};

// x becomes extent - 1 - x where both sides run backwards: the same bytes to the same places, forwards.
void reverse_jointly(RunDim& digit, Starts& starts) {
  const auto backwards = [](const Stride& stride) {
    return stride.is_constant() && stride.value < 0 && stride.value != INT64_MIN;
  };
  if (!backwards(digit.src_stride) || !backwards(digit.dst_stride)) return;
  starts.src += Checked(digit.extent - 1) * digit.src_stride.value;
  starts.dst += Checked(digit.extent - 1) * digit.dst_stride.value;
  digit.src_stride.value = -digit.src_stride.value;
  digit.dst_stride.value = -digit.dst_stride.value;
  starts.any = true;
}

// The base's generator again, for the address that lies `elements` from it.
Status move_base(const CopySide& copy, Checked elements, int64_t elem_bytes, int64_t cap, Side& side, int64_t& start) {
  const Checked bytes = elements * elem_bytes;
  if (!bytes.ok()) return integer::overflow_error("the start of a reversed row of " + copy.operand);
  start = elements.value();
  const Residue moved = Residue::congruent(copy.base.modulus, copy.base.residue) + Residue::constant(bytes.value());
  TAILOR_ASSIGN_OR_RETURN(Generator base,
                          base_generator(copy.operand, {moved.modulus, moved.remainder}, elem_bytes, cap));
  base.what += fmt::format(" where the copy starts, {} elements before element 0", -start);
  side.generators.front() = std::move(base);
  return {};
}

// A dimension that one side walks backwards and the other forwards; empty when there is none.
std::string opposed(const std::vector<RunDim>& digits, const std::string& src, const std::string& dst) {
  for (const RunDim& d : digits) {
    if (!d.src_stride.is_constant() || !d.dst_stride.is_constant()) continue;
    if ((d.src_stride.value < 0) == (d.dst_stride.value < 0) || d.src_stride.value == 0 || d.dst_stride.value == 0) {
      continue;
    }
    return fmt::format("; {} runs {} in {} and {} in {}, which no vector does", d.name,
                       d.src_stride.value < 0 ? "backwards" : "forwards", src,
                       d.dst_stride.value < 0 ? "backwards" : "forwards", dst);
  }
  return "";
}

bool is_constant_value(const Stride& stride, int64_t value) { return stride.is_constant() && stride.value == value; }

// Merges (slow, fast) into one digit of extent slow*fast: exact when slow's stride is fast's stride times fast's
// extent.
bool merges(const Stride& slow, const Stride& fast, int64_t fast_extent) {
  if (!slow.is_constant() || !fast.is_constant()) return false;
  Checked spanned = Checked(fast.value) * fast_extent;
  return spanned.ok() && spanned.value() == slow.value;
}

void coalesce_digits(std::vector<RunDim>& digits) {
  for (size_t i = digits.size(); i-- > 1;) {
    RunDim& slow = digits[i - 1];
    RunDim& fast = digits[i];
    if (merges(slow.src_stride, fast.src_stride, fast.extent) &&
        merges(slow.dst_stride, fast.dst_stride, fast.extent)) {
      fast.extent *= slow.extent;  // at most the size of the space, which was checked
      fast.name = slow.name + "*" + fast.name;
      digits.erase(digits.begin() + static_cast<ptrdiff_t>(i - 1));
    }
  }
}

// Removes from `digits` the dimensions that are contiguous on both sides and returns the run length in elements.
int64_t take_run(std::vector<RunDim>& digits, std::string& run_name) {
  int64_t run = 1;
  while (true) {
    auto next = std::find_if(digits.begin(), digits.end(), [&](const RunDim& d) {
      return is_constant_value(d.src_stride, run) && is_constant_value(d.dst_stride, run);
    });
    if (next == digits.end()) return run;
    run *= next->extent;
    run_name = run_name.empty() ? next->name : next->name + "*" + run_name;
    digits.erase(next);
  }
}

// Why the run did not grow: the dimension that would continue it, per side.
std::string explain_run(const std::vector<RunDim>& digits, int64_t run, int64_t run_bytes, const std::string& run_name,
                        const std::string& src, const std::string& dst) {
  std::string text = run_name.empty() ? fmt::format("no dimension is contiguous on both sides, so a run is one element")
                                      : fmt::format("a run ({}) is only {} bytes", run_name, run_bytes);
  if (digits.empty()) return text;
  const RunDim& next = digits.back();
  return text + fmt::format("; stride of {} being {} elements in both {} ({} now) and {} ({} now) would lengthen it",
                            next.name, run, src, to_string(next.src_stride), dst, to_string(next.dst_stride));
}

}  // namespace

std::string to_string(const Stride& stride) {
  if (stride.is_constant()) return fmt::to_string(stride.value);
  return stride.divisor == 1 ? stride.symbol : fmt::format("{} (a multiple of {})", stride.symbol, stride.divisor);
}

std::vector<TailPiece> decompose_tail(int64_t offset, int64_t bytes) {
  std::vector<TailPiece> pieces;
  while (bytes > 0) {
    int64_t width = floor_pow2(bytes);
    pieces.push_back({offset, width});
    offset += width;
    bytes -= width;
  }
  return pieces;
}

Expected<CopyShape> plan_copy(const CopySpace& space, const CopySide& src, const CopySide& dst, int64_t elem_bytes,
                              const Facts& facts, int64_t max_vector_bytes) {
  TAILOR_RETURN_IF_ERROR(check_sizes(elem_bytes, max_vector_bytes));
  TAILOR_ASSIGN_OR_RETURN(Side from, prepare(src, space, facts, elem_bytes, max_vector_bytes));
  TAILOR_ASSIGN_OR_RETURN(Side to, prepare(dst, space, facts, elem_bytes, max_vector_bytes));
  Starts starts;
  Checked total = elem_bytes;
  bool empty = false;
  for (const SpaceDim& dim : space.dims) {
    if (dim.extent < 0) {
      return invalid_argument(fmt::format("extent of {} is {}; it must not be negative", dim.name, dim.extent));
    }
    empty = empty || dim.extent == 0;
    if (dim.extent != 0) total *= dim.extent;
  }
  if (!total.ok()) return integer::overflow_error("the number of bytes of a row");
  CopyShape shape;
  if (empty) {
    shape.vector_bytes = elem_bytes;
    shape.reason = "the row has no elements";
    return shape;
  }
  for (size_t i = 0; i < space.dims.size(); ++i) {
    if (space.dims[i].extent == 1) continue;
    RunDim digit{space.dims[i].name, space.dims[i].extent, from.strides[i], to.strides[i]};
    reverse_jointly(digit, starts);
    shape.run_dims.push_back(std::move(digit));
  }
  if (starts.any) {
    TAILOR_RETURN_IF_ERROR(move_base(src, starts.src, elem_bytes, max_vector_bytes, from, shape.src_start));
    TAILOR_RETURN_IF_ERROR(move_base(dst, starts.dst, elem_bytes, max_vector_bytes, to, shape.dst_start));
  }
  std::string run_name;
  int64_t run = take_run(shape.run_dims, run_name);
  coalesce_digits(shape.run_dims);
  shape.runs = 1;
  for (const RunDim& digit : shape.run_dims) {
    shape.runs *= digit.extent;
    TAILOR_ASSIGN_OR_RETURN(Generator g, stride_generator(digit.name, src.operand, digit.src_stride, elem_bytes,
                                                          max_vector_bytes, max_vector_bytes));
    from.generators.push_back(std::move(g));
    TAILOR_ASSIGN_OR_RETURN(
        g, stride_generator(digit.name, dst.operand, digit.dst_stride, elem_bytes, max_vector_bytes, max_vector_bytes));
    to.generators.push_back(std::move(g));
  }
  shape.run_bytes = run * elem_bytes;
  // A vector starts at base + Σ outer + Σ digits + k * width. The Hermite form of a column of generators is their gcd,
  // and of a gcd only the power of two matters here; so the joint alignment is the smallest power of two among them.
  std::vector<Generator> generators = std::move(from.generators);
  generators.insert(generators.end(), to.generators.begin(), to.generators.end());
  int64_t alignment = joint_alignment(generators, max_vector_bytes);
  shape.vector_bytes = std::min(alignment, floor_pow2(shape.run_bytes));
  shape.vectors_per_run = shape.run_bytes / shape.vector_bytes;
  int64_t body = shape.vectors_per_run * shape.vector_bytes;
  shape.tail = decompose_tail(body, shape.run_bytes - body);
  std::string short_run;
  if (shape.vector_bytes < max_vector_bytes && shape.run_bytes < 2 * shape.vector_bytes) {
    short_run = explain_run(shape.run_dims, run, shape.run_bytes, run_name, src.operand, dst.operand) +
                opposed(shape.run_dims, src.operand, dst.operand);
  }
  shape.reason = explain(shape.vector_bytes, max_vector_bytes, elem_bytes, generators, short_run);
  return shape;
}

Expected<VectorWidth> vector_width(const AccessLayout& access, int64_t elem_bytes, const Facts& facts,
                                   int64_t max_vector_bytes) {
  TAILOR_RETURN_IF_ERROR(check_sizes(elem_bytes, max_vector_bytes));
  const Residue& run = access.run_bytes;
  if (run.known_divisor() % elem_bytes != 0 || (run.is_constant() && run.remainder < 0)) {
    return invalid_argument(fmt::format("run of {} is {} bytes; it must be a non-negative multiple of the element ({})",
                                        access.operand, integer::to_string(run), elem_bytes));
  }
  std::vector<Generator> generators;
  TAILOR_ASSIGN_OR_RETURN(Generator base, base_generator(access.operand, access.base, elem_bytes, max_vector_bytes));
  generators.push_back(std::move(base));
  TAILOR_RETURN_IF_ERROR(
      add_outer_generators(access.outer, access.operand, facts, elem_bytes, max_vector_bytes, generators));
  VectorWidth result;
  result.row_alignment = joint_alignment(generators, max_vector_bytes);
  result.vector_bytes = result.row_alignment;
  std::string short_run;
  if (run.hi != Residue::kPlusInfinity && run.hi < result.vector_bytes) {
    result.vector_bytes = std::max(elem_bytes, run.hi > 0 ? floor_pow2(run.hi) : elem_bytes);
    short_run = fmt::format("a run is at most {} bytes", run.hi);
  }
  if (run.is_constant()) result.vectors_per_run = run.remainder / result.vector_bytes;
  Residue rest = integer::floor_mod(run, result.vector_bytes);
  result.tail_known = rest.is_constant();
  if (result.tail_known) result.tail = decompose_tail(0, rest.remainder);
  result.reason = explain(result.vector_bytes, max_vector_bytes, elem_bytes, generators, short_run);
  if (!result.tail_known) {
    result.tail_reason = fmt::format("the run length is {}; the residue of it mod {} would fix the tail",
                                     integer::to_string(run), result.vector_bytes);
  }
  return result;
}

}  // namespace tailor::codegen::layout
