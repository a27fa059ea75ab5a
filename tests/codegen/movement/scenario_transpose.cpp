#include <algorithm>

#include "tests/codegen/movement/scenario_maker.h"

namespace tailor::test {

void make_ragged_transpose(ScenarioMaker& m) {
  using namespace ragged_transpose;
  const ScenarioOptions& o = m.options();
  const auto v = [&](Symbol s) -> int64_t& { return m.symbol(s); };
  const int64_t dim = m.shape().dim, element = m.shape().element;
  const int64_t multiple = int64_t{1} << m.field(KeyField::kLengthMultipleLog2);
  // Rows of one store, as far as the contract lets the kernel use the promise.
  const int64_t group = std::min(multiple, m.target_align() / element);
  const Strides ss = m.strides(m.source(), m.source_align(), 1, o.rows);
  v(kHeads) = 1, v(kHeadDim) = dim, v(kElementBytes) = element;
  v(kRows) = o.rows, v(kBatch) = o.batch, v(kTargetElements) = o.rows * dim, v(kLengthMultiple) = multiple;
  v(kSourceRowStride) = ss.slot, v(kSourceDimStride) = ss.dim;
  m.place(kSource, m.source_align(), m.noise(ss.bytes), false);
  m.place(kTarget, m.target_align(), m.noise(o.rows * dim * element), true);

  std::vector<int32_t> cu{0};
  for (int64_t s = 0; s < o.batch; ++s) {
    const int64_t room = (o.rows - cu.back()) / multiple;
    const int64_t length =
        m.pick(0, 3) == 0 ? 0 : multiple * m.pick(0, std::max<int64_t>(room / 2, std::min<int64_t>(room, 1)));
    cu.push_back(cu.back() + static_cast<int32_t>(length));
  }
  if (o.hostile) {
    if (m.pick(0, 1) == 0) {
      for (int32_t& c : cu) c = m.anything();
    } else {
      cu[m.pick(0, o.batch)] = m.anything();
    }
  }
  m.place_ints(kCuSeqlens, cu);
  m.place_status(kStatusWord);

  m.expect_unchanged();
  if (o.rows == 0) return;  // not launched: nothing is checked
  for (int64_t s = 0; s < o.batch; ++s) {
    if (0 > cu[s] || cu[s] > cu[s + 1] || cu[s + 1] > o.rows) {
      m.fault(DeviceFault::kCuSeqlensRange, s);
      m.leave_open();
    } else if (cu[s] % group != 0 || cu[s + 1] % group != 0) {
      m.fault(DeviceFault::kLengthMultiple, s);
    }
  }
  if (m.open()) return;
  for (int64_t s = 0; s < o.batch; ++s) {
    if (cu[s] % group != 0 || cu[s + 1] % group != 0) continue;
    const int64_t length = cu[s + 1] - cu[s];
    const Strides column{.dim = length * element};
    for (int64_t t = 0; t < length; ++t) {
      m.copy_row("source", (cu[s] + t) * ss.slot, ss, "target", (cu[s] * dim + t) * element, column);
    }
  }
  m.finish_status();
}

}  // namespace tailor::test
