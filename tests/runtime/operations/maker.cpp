#include "tests/runtime/operations/maker.h"

namespace tailor::truth {
namespace {

constexpr int64_t kCounts[] = {1, 2, 3, 5, 7, 8, 11, 13, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 131, 257};
constexpr int64_t kRowBytes[] = {1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 130, 160, 256, 480, 512, 1024};
constexpr int64_t kWideCount = 9;

}  // namespace

uint64_t status_word(DeviceFault fault, int64_t index) {
  const uint64_t from_end = (uint64_t{1} << 48) - 1 - static_cast<uint64_t>(index);
  return from_end << 8 | static_cast<uint64_t>(fault);
}

DType Maker::any_dtype() {
  return random.any_of({DType::kUInt8, DType::kInt8, DType::kFloat8E4M3, DType::kFloat16, DType::kBFloat16,
                        DType::kInt16, DType::kFloat32, DType::kInt32, DType::kFloat64, DType::kInt64});
}

int64_t Maker::count(int64_t most) {
  if (kind_ == Kind::kWide) most = std::min(most, kWideCount);
  if (most < 1 || random.one_in(16)) return 0;
  const auto* end = std::upper_bound(std::begin(kCounts), std::end(kCounts), most);
  return kCounts[random.pick(0, end - std::begin(kCounts) - 1)];
}

int64_t Maker::dim(DType dtype, int64_t most) {
  if (random.one_in(40)) return 0;
  const int64_t bytes = kRowBytes[random.pick(0, static_cast<int64_t>(std::size(kRowBytes)) - 1)];
  return std::clamp<int64_t>(bytes / element_bytes(dtype) + random.pick(-1, 1), 1, std::max<int64_t>(most, 1));
}

Operand& Maker::place(const char* name, const Tensor& view, bool written) {
  return problem_.operands.emplace_back(name, view, written, uint64_t{seed_} << 32 | ++placed_);
}

Operand& Maker::tensor(const char* name, DType dtype, const std::vector<int64_t>& shape, bool written) {
  Tensor view = random.tensor(0, dtype, shape, written);
  if (kind_ == Kind::kWide) {
    int outer = 0;
    for (int d = 1; d < view.rank; ++d) {
      if (view.shape[d] > 1 && (view.shape[outer] <= 1 || view.stride[d] > view.stride[outer])) outer = d;
    }
    if (view.shape[outer] > 1) {
      const int64_t reach = int64_t{1} << random.pick(30, 32);
      const int64_t stride = reach / element_bytes(dtype) / (view.shape[outer] - 1);
      view.stride[outer] = std::max(view.stride[outer], stride + random.pick(-2, 2) * (random.one_in(2) ? 1 : 16));
    }
  }
  return place(name, view, written);
}

Operand& Maker::numbers(const char* name, DType dtype, const std::vector<int64_t>& shape,
                        const std::vector<int64_t>& values, int64_t row_gap) {
  Tensor view = shape.size() == 1 ? Tensor::dense(0, dtype, {shape[0]}) : Tensor::dense(0, dtype, {shape[0], shape[1]});
  if (view.rank == 2) view.stride[0] += row_gap;
  view.address = static_cast<uint64_t>(random.pick(0, 5) * element_bytes(dtype));
  Operand& operand = place(name, view, false);
  for (size_t i = 0; i < values.size(); ++i)
    operand.set_bits(static_cast<int64_t>(i), static_cast<uint64_t>(values[i]));
  return operand;
}

std::vector<int64_t> Maker::offsets(int64_t batch, int64_t longest, int64_t multiple) {
  std::vector<int64_t> offsets = {random.one_in(4) ? multiple * random.pick(1, 3) : 0};
  for (int64_t s = 0; s < batch; ++s) offsets.push_back(offsets.back() + count(longest / multiple) * multiple);
  return offsets;
}

void Maker::spoil(std::vector<int64_t>& offsets, int64_t rows) {
  for (int64_t n = random.pick(1, 2); n > 0; --n) {
    offsets[static_cast<size_t>(random.pick(0, static_cast<int64_t>(offsets.size()) - 1))] =
        random.any_of<int64_t>({-1, INT32_MIN, INT32_MAX, rows + 1, random.pick(0, rows), 0});
  }
}

uint64_t Maker::status() {
  if (!hostile() && random.one_in(2)) return 0;
  Operand& word = place("status_word", Tensor::dense(0, DType::kInt64, {1}), true);
  word.set_bits(0, 0);
  problem_.status = &word;
  return word.view().address;
}

void Maker::settle() {
  for (Operand& operand : problem_.operands) operand.settle();
}

void make_problem(OpId op, Kind kind, uint32_t seed, Problem& problem) {
  Maker maker(kind, seed, problem);
  switch (op) {
    case OpId::kPagedGather:
      return make_paged_gather(maker);
    case OpId::kPagedAppend:
      return make_paged_append(maker);
    case OpId::kPack:
      return make_pack(maker);
    case OpId::kUnpack:
      return make_unpack(maker);
    case OpId::kGatherRows:
      return make_gather_rows(maker);
    case OpId::kScatterRows:
      return make_scatter_rows(maker);
    case OpId::kConcat:
      return make_concat(maker);
    case OpId::kSplit:
      return make_split(maker);
    case OpId::kConvert:
      return make_convert(maker);
    case OpId::kAppendRope:
      return make_append_rope(maker);
    case OpId::kRaggedTranspose:
      return make_ragged_transpose(maker);
    case OpId::kCopy:
      return make_copy(maker);
  }
}

}  // namespace tailor::truth
