#include "runtime/ops/schema.h"

#include <array>
#include <initializer_list>
#include <limits>

namespace tailor {
namespace {

constexpr auto kGatherSymbols = std::to_array<SymbolSpec>({
#define X(name, text, binding, side, meaning) {text, Binding::binding, Side::side, meaning},
    TAILOR_GATHER_SYMBOLS(X)
#undef X
});
constexpr auto kAppendSymbols = std::to_array<SymbolSpec>({
#define X(name, text, binding, side, meaning) {text, Binding::binding, Side::side, meaning},
    TAILOR_APPEND_SYMBOLS(X)
#undef X
});

constexpr int64_t kExtentMax = (int64_t{1} << 31) - 1;
constexpr int64_t kInt64Max = std::numeric_limits<int64_t>::max();

using Symbols = std::initializer_list<uint16_t>;

// Collects what a key asserts; one call per group of symbols.
class FactWriter {
 public:
  explicit FactWriter(const Key& key)
      : heads_(static_cast<int64_t>(key.get(KeyField::kHeads))),
        head_dim_(static_cast<int64_t>(key.get(KeyField::kHeadDim))),
        element_(int64_t{1} << key.get(KeyField::kElementLog2)),
        stride_max_(key.get(KeyField::kIndex64) ? kInt64Max : kExtentMax) {}

  void exact(uint16_t symbol, int64_t value) { facts_.push_back(Fact::exact(symbol, value)); }
  void extents(Symbols symbols) {
    for (uint16_t s : symbols) facts_.push_back(Fact::range(s, 0, kExtentMax));
  }
  void addresses(Symbols symbols, int64_t divisor) {
    for (uint16_t s : symbols) {
      facts_.push_back(Fact::range(s, 0, kInt64Max));
      facts_.push_back(Fact::divisible(s, divisor));
    }
  }
  // With 32-bit indices no stride reaches 2^31: every extent above 1 steps at least once.
  void strides(Symbols symbols, int64_t divisor) {
    for (uint16_t s : symbols) {
      facts_.push_back(Fact::range(s, 0, stride_max_));
      facts_.push_back(Fact::divisible(s, divisor));
    }
  }
  void side(RowContiguity contiguity, int64_t align, Symbols bases, Symbols outer, Symbols heads, Symbols dims) {
    addresses(bases, align);
    strides(outer, align);
    if (contiguity == RowContiguity::kRow || heads_ == 1) {
      for (uint16_t s : heads) exact(s, heads_ == 1 ? 0 : head_dim_ * element_);
    } else {
      strides(heads, align);
    }
    if (contiguity != RowContiguity::kNone || head_dim_ == 1) {
      for (uint16_t s : dims) exact(s, head_dim_ == 1 ? 0 : element_);
    } else {
      strides(dims, align);
    }
  }
  FactSet take() { return std::move(facts_); }

 private:
  int64_t heads_, head_dim_, element_, stride_max_;
  FactSet facts_;
};

}  // namespace

std::span<const SymbolSpec> symbols_of(OpId op) {
  switch (op) {
    case OpId::kPagedGather:
      return kGatherSymbols;
    case OpId::kPagedAppend:
      return kAppendSymbols;
  }
  return {};
}

FactSet facts_of(const Key& key) {
  FactWriter facts(key);
  const auto value = [&](KeyField field) { return static_cast<int64_t>(key.get(field)); };
  const auto source = static_cast<RowContiguity>(key.get(KeyField::kSourceContiguity));
  const auto target = static_cast<RowContiguity>(key.get(KeyField::kTargetContiguity));
  const int64_t source_align = int64_t{1} << key.get(KeyField::kSourceAlignLog2);
  const int64_t target_align = int64_t{1} << key.get(KeyField::kTargetAlignLog2);
  const int64_t element = int64_t{1} << key.get(KeyField::kElementLog2);
  switch (key.op()) {
    case OpId::kPagedGather: {
      using namespace gather;
      facts.exact(kPageSize, value(KeyField::kPageSize));
      facts.exact(kHeads, value(KeyField::kHeads));
      facts.exact(kHeadDim, value(KeyField::kHeadDim));
      facts.exact(kElementBytes, element);
      facts.extents({kRows, kBatch, kPoolPages, kMaxPages});
      facts.addresses({kBlockTable, kSeqLens, kCuSeqlens}, 4);
      facts.addresses({kStatusWord}, 8);
      facts.strides({kTableStride}, 1);
      facts.side(source, source_align, {kPages}, {kPageStride, kSlotStride}, {kSourceHeadStride}, {kSourceDimStride});
      facts.side(target, target_align, {kPacked}, {kRowStride}, {kTargetHeadStride}, {kTargetDimStride});
      break;
    }
    case OpId::kPagedAppend: {
      using namespace append;
      facts.exact(kPageSize, value(KeyField::kPageSize));
      facts.exact(kHeads, value(KeyField::kHeads));
      facts.exact(kHeadDim, value(KeyField::kHeadDim));
      facts.exact(kElementBytes, element);
      facts.extents({kRows, kBatch, kPoolPages, kMaxPages});
      facts.addresses({kBlockTable, kBatchIndex, kPosition}, 4);
      facts.addresses({kStatusWord}, 8);
      facts.strides({kTableStride}, 1);
      facts.side(source, source_align, {kK, kV}, {kKRowStride, kVRowStride}, {kKHeadStride, kVHeadStride},
                 {kKDimStride, kVDimStride});
      facts.side(target, target_align, {kKPages, kVPages}, {kKPageStride, kKSlotStride, kVPageStride, kVSlotStride},
                 {kKPagesHeadStride, kVPagesHeadStride}, {kKPagesDimStride, kVPagesDimStride});
      break;
    }
  }
  return facts.take();
}

}  // namespace tailor
