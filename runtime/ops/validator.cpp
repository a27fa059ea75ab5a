#include "runtime/ops/validator.h"

#include <cstdlib>

#include <fmt/format.h>

namespace tailor {
namespace {

std::string shape_text(const Tensor& t) {
  std::string text;
  for (int d = 0; d < t.rank; ++d) text += fmt::format("{}{}:{}", d ? ", " : "", t.shape[d], t.stride[d]);
  return text;
}

}  // namespace

bool Validator::refuse(std::string message) {
  status_ = invalid_argument(std::move(message));
  return false;
}

bool Validator::dense(Operand& o, const char* name, const Tensor& t) {
  o.name = name;
  o.tensor = &t;
  o.element = element_bytes(t.dtype);
  if (o.element == 0) return bad_value(name, "dtype", static_cast<int64_t>(t.dtype), "it is no known element type");
  o.empty = t.shape[0] == 0;
  if (o.empty) return true;
  if (!dense_rows(o)) return false;
  int64_t bytes = 0, end = 0;
  if (t.address == 0 || t.address % static_cast<uint64_t>(o.element) != 0 ||
      __builtin_mul_overflow(t.shape[0], o.element, &bytes) || t.address > static_cast<uint64_t>(kInt64Max) ||
      __builtin_add_overflow(static_cast<int64_t>(t.address), bytes, &end)) {
    return bad_place(o);
  }
  o.begin = t.address;
  o.end = static_cast<uint64_t>(end);
  return true;
}

bool Validator::strided(Operand& o, const char* name, const Tensor& t) {
  o.name = name;
  o.tensor = &t;
  if (t.rank < 1 || t.rank > kMaxRank) return bad_value(name, "rank", t.rank, "it must be in [1, 5]");
  o.element = element_bytes(t.dtype);
  if (o.element == 0) return bad_value(name, "dtype", static_cast<int64_t>(t.dtype), "it is no known element type");
  int64_t least = 0, most = 0;  // elements from the address
  bool beyond = false;
  for (int d = 0; d < t.rank; ++d) {
    const int64_t extent = t.shape[d];
    if (extent < 0 || extent >= kExtentLimit) {
      return bad_dimension(name, "shape", d, extent, "an extent must be in [0, 2^31)");
    }
    o.empty |= extent == 0;
    int64_t step = 0;
    beyond |= __builtin_mul_overflow(extent - 1, extent == 1 ? 0 : t.stride[d], &step);
    int64_t& bound = step < 0 ? least : most;
    beyond |= __builtin_add_overflow(bound, step, &bound);
  }
  if (o.empty) return true;
  const Wide begin = static_cast<Wide>(t.address) + static_cast<Wide>(least) * o.element;
  const Wide end = static_cast<Wide>(t.address) + (static_cast<Wide>(most) + 1) * o.element;
  if (t.address == 0 || t.address % static_cast<uint64_t>(o.element) != 0) return bad_place(o);
  if (beyond || begin <= 0 || end > kInt64Max) {
    return refuse(
        fmt::format("{} (extent:stride {}) at {:#x} (element of {} bytes); the byte range that shape and "
                    "stride span around the address must lie between 0 and 2^63",
                    name, shape_text(t), t.address, o.element));
  }
  o.begin = static_cast<uint64_t>(begin);
  o.end = static_cast<uint64_t>(end);
  return true;
}

std::string_view Validator::rank_rule(int rank) {
  constexpr std::string_view kTexts[] = {"", "it must be 1", "it must be 2", "it must be 3", "it must be 4"};
  return kTexts[rank];
}

bool Validator::bad_dimension(const char* name, const char* what, int dim, int64_t value, std::string_view rule) {
  return fail(fmt::format("{}.{}[{}] is {}; {}", name, what, dim, value, rule));
}
bool Validator::bad_value(const char* name, const char* what, int64_t value, std::string_view rule) {
  return fail(fmt::format("{}.{} is {}; {}", name, what, value, rule));
}
bool Validator::bad_extent(const Operand& o, int dim, int64_t wanted, const char* what) {
  return bad_dimension(o.name, "shape", dim, o.extent(dim), fmt::format("it must equal {} ({})", what, wanted));
}
bool Validator::bad_index_type(const Operand& o, bool wide) {
  return fail(
      fmt::format("{}.dtype is {}; it must be i32{}", o.name, to_string(o.tensor->dtype), wide ? " or i64" : ""));
}
bool Validator::bad_dtype(const Operand& o, const Operand& reference) {
  return fail(fmt::format("{}.dtype is {}; it must equal that of {} ({})", o.name, to_string(o.tensor->dtype),
                          reference.name, to_string(reference.tensor->dtype)));
}
bool Validator::bad_layout(PageLayout layout) {
  return fail(fmt::format("layout is {}; it must be kSlotMajor (0) or kHeadMajor (1)", static_cast<int>(layout)));
}
bool Validator::bad_place(const Operand& o) {
  const Tensor& t = *o.tensor;
  for (int d = 0; d < t.rank; ++d) {
    if (t.shape[d] != 1 && t.stride[d] < 0) {
      return bad_dimension(o.name, "stride", d, t.stride[d], "a stride must not be negative");
    }
  }
  const char* rule = "the byte range that shape and stride span from it must end below 2^63";
  if (t.address == 0) rule = "a null pointer is allowed for empty operands only";
  if (t.address % static_cast<uint64_t>(o.element) != 0) rule = "it must be a multiple of the element size";
  return fail(fmt::format("{}.address is {:#x} (element of {} bytes); {}", o.name, t.address, o.element, rule));
}
bool Validator::write_once_searched(const Operand& o) {
  const Tensor& t = *o.tensor;
  std::array<StridedDim, kMaxRank> dims;
  for (int d = 0; d < t.rank; ++d) dims[d] = {t.shape[d], t.shape[d] == 1 ? 0 : std::abs(t.stride[d])};
  switch (self_overlap({dims.data(), static_cast<size_t>(t.rank)})) {
    case Overlap::kDisjoint:
      return true;
    case Overlap::kOverlapping:
      return fail(fmt::format(
          "{} (extent:stride {}) names some element twice; the elements of a written operand must not overlap", o.name,
          shape_text(t)));
    case Overlap::kUnknown:
      break;
  }
  return fail(
      fmt::format("{} (extent:stride {}) could not be shown free of overlap; choose strides each of which exceeds "
                  "the span of the smaller ones",
                  o.name, shape_text(t)));
}
bool Validator::overlap(const Operand& written, const Operand& other, std::string_view rule) {
  return fail(fmt::format("{} [{:#x}, {:#x}) overlaps {} [{:#x}, {:#x}); {}", written.name, written.begin, written.end,
                          other.name, other.begin, other.end, rule));
}

bool Validator::interleaved(const Operand& k, const Operand& v) {
  constexpr std::string_view kRule =
      "pools whose byte ranges overlap must interleave: equal strides and no element of one on one of the other";
  std::array<StridedDim, kMaxRank + 1> dims;
  const int rank = k.tensor->rank;
  for (int d = 0; d < rank; ++d) {
    if (k.stride(d) != v.stride(d)) return overlap(v, k, kRule);
    dims[d] = {k.extent(d), k.tensor->stride[d]};
  }
  const int64_t gap = static_cast<int64_t>(std::max(k.begin, v.begin) - std::min(k.begin, v.begin));
  if (gap % k.element != 0) return overlap(v, k, kRule);
  dims[rank] = {2, gap / k.element};
  return self_overlap({dims.data(), static_cast<size_t>(rank + 1)}) == Overlap::kDisjoint || overlap(v, k, kRule);
}

}  // namespace tailor
