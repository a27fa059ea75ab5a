#include <cstring>

#include "tests/codegen/movement/elements.h"
#include "tests/codegen/movement/scenario_maker.h"

namespace tailor::test {

void make_convert(ScenarioMaker& m) {
  using namespace convert;
  const ScenarioOptions& o = m.options();
  const auto v = [&](Symbol s) -> int64_t& { return m.symbol(s); };
  const auto from = static_cast<DType>(m.field(KeyField::kSourceType));
  const auto to = static_cast<DType>(m.field(KeyField::kTargetType));
  const bool scales = m.field(KeyField::kVariant) != 0;
  const auto from_bytes = static_cast<size_t>(element_bytes(from)), to_bytes = static_cast<size_t>(element_bytes(to));
  const Strides ss = m.strides(m.source(), m.source_align(), 1, o.rows);
  const Strides ts = m.strides(m.target(), m.target_align(), 1, o.rows, element_bytes(to));
  v(kHeads) = 1, v(kHeadDim) = m.shape().dim, v(kElementBytes) = element_bytes(from);
  v(kTargetElementBytes) = element_bytes(to), v(kRows) = o.rows;
  v(kSourceRowStride) = ss.slot, v(kSourceDimStride) = ss.dim;
  v(kTargetRowStride) = ts.slot, v(kTargetDimStride) = ts.dim;
  const std::vector<uint8_t> source = m.numbers(from, ss, o.rows);
  const auto each = [&](const auto& f) {
    for (int64_t i = 0; i < o.rows; ++i) {
      for (int64_t d = 0; d < m.shape().dim; ++d) f(i * ss.slot + d * ss.dim, i * ts.slot + d * ts.dim);
    }
  };
  const uint32_t scale = random_element(DType::kFloat32, m.random());
  m.place(kSource, m.source_align(), source, false);
  m.place(kTarget, m.target_align(), m.noise(ts.bytes), true);
  if (scales) m.place_ints(kScale, {static_cast<int32_t>(scale)});

  m.expect_unchanged();
  each([&](int64_t at, int64_t to_at) {
    uint32_t bits = 0;
    std::memcpy(&bits, source.data() + at, from_bytes);
    if (scales || from != to || from != DType::kFloat32) {
      const uint32_t value = decode_element(from, bits);
      bits = encode_element(to, scales ? multiply(value, scale) : value);
    }
    std::memcpy(m.expected("target").data() + to_at, &bits, to_bytes);
  });
}

}  // namespace tailor::test
