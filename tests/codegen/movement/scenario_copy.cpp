#include <algorithm>
#include <cstring>

#include "runtime/bucket/learned_residues.h"
#include "tests/codegen/movement/scenario_maker.h"

namespace tailor::test {
namespace {

struct Dim {
  int64_t extent, source, target;  // bytes
};

// The least odd multiple of `align` that is at least `bytes`.
int64_t loose(int64_t bytes, int64_t align) {
  const int64_t units = (bytes + align - 1) / align;
  return (units % 2 == 1 ? units : units + 1) * align;
}

// Whole pieces and rests lie in operands of their own; a kernel cannot tell that from the outside.
class CopyMaker {
 public:
  explicit CopyMaker(ScenarioMaker& m)
      : m_(m), element_(m.shape().element), mode_(static_cast<CopyMode>(m.field(KeyField::kVariant))) {}

  void run() {
    using namespace copy;
    v(kHeads) = 1, v(kElementBytes) = element_, v(kMatrixRows) = v(kMatrixColumns) = 1;
    const int64_t rank = m_.field(KeyField::kOuterRank);
    v(kRows) = 1;
    for (int d = 0; d < kMaxOuterRank; ++d) {
      const int64_t extent = d < rank ? m_.pick(2, rank > 3 ? 2 : 4) : 1;
      v(kExtent0 + d) = extent;
      v(kRows) *= extent;
    }
    mode_ == CopyMode::kTransposed ? matrices() : runs();
    // Outer dimensions around one whole run or matrix.
    for (int d = static_cast<int>(rank); d-- > 0;) {
      const int64_t extent = v(kExtent0 + d);
      const int64_t source = v(kSourceStride0 + d) = outer_stride(source_span_, m_.source_align());
      const int64_t target = v(kTargetStride0 + d) = outer_stride(target_span_, m_.target_align());
      const bool back = m_.field(KeyField::kIndex64) != 0 && m_.pick(0, 2) == 0;
      if (back) v(kSourceStride0 + d) = -source;
      outer_.insert(outer_.begin(), {extent, back ? -source : source, target});
      source_span_ += (extent - 1) * source;
      target_span_ += (extent - 1) * target;
      if (back) shift_ += (extent - 1) * source;
    }
    const int64_t lines = v(kRows) * v(kMatrixRows);
    v(kPieceRows) = lines * v(kPieces);
    v(kRestRows) = v(kRest) == 0 ? 0 : lines;
    v(kRestElements) = v(kRestRows) * v(kRest);
    for (const auto& [source, target] : {std::pair{kSource, kTarget}, std::pair{kSourceRest, kTargetRest}}) {
      m_.place(source, m_.source_align(), m_.noise(source_span_), false);
      m_.place(target, m_.target_align(), m_.noise(target_span_), true);
      v(source) += shift_;
    }
    m_.expect_unchanged();
    move("source", "target", whole_);
    if (v(kRest) != 0) move("source_rest", "target_rest", rest_);
  }

 private:
  int64_t& v(int symbol) { return m_.symbol(static_cast<uint16_t>(symbol)); }
  int64_t outer_stride(int64_t span, int64_t align) { return loose(span, align) + 2 * align * m_.pick(0, 1); }

  void runs() {
    using namespace copy;
    const int64_t exact = m_.shape().dim, whole = kRunPieceBytes / element_;
    int64_t run = exact;
    if (run == 0) {
      const int64_t residue = m_.field(KeyField::kColumnsResidue);
      v(kRest) = residue == kUnknownColumnsResidue ? m_.pick(1, whole - 1) : residue / element_;
      v(kPieces) = m_.pick(4, 5);
      run = v(kPieces) * whole + v(kRest);
    }
    v(kHeadDim) = run;
    const auto stride = [&](RowContiguity contiguity, int64_t align) {
      return run == 1 ? 0 : contiguity == RowContiguity::kRow ? element_ : loose(2 * element_, align);
    };
    const int64_t source = v(kSourceDimStride) = stride(m_.source(), m_.source_align());
    const int64_t target = v(kTargetDimStride) = stride(m_.target(), m_.target_align());
    whole_ = {{exact == 0 ? v(kPieces) * whole : run, source, target}};
    rest_ = {{v(kRest), source, target}};
    source_span_ = (run - 1) * source + element_;
    target_span_ = (run - 1) * target + element_;
  }

  void matrices() {
    using namespace copy;
    const int64_t whole = residue_modulus(ResidueKind::kMatrixColumns);
    const int64_t columns = m_.field(KeyField::kColumnsResidue);
    const int64_t m = m_.pick(0, 3) == 0 ? m_.pick(2, 130) : m_.pick(2, 70);
    v(kRest) = columns == kUnknownColumnsResidue ? m_.pick(1, whole - 1) : columns;
    v(kPieces) = v(kRest) < 2 ? 1 : m_.pick(0, 1);
    const int64_t n = v(kPieces) * whole + v(kRest);
    v(kHeadDim) = 1, v(kMatrixRows) = m, v(kMatrixColumns) = n;
    const int64_t source = v(kSourceMatrixStride) = loose(n * element_, m_.source_align());
    const int64_t target = v(kTargetMatrixStride) = loose(m * element_, m_.target_align());
    whole_ = {{v(kPieces) * whole, element_, target}, {m, source, element_}};
    rest_ = {{v(kRest), element_, target}, {m, source, element_}};
    source_span_ = (m - 1) * source + n * element_;
    target_span_ = (n - 1) * target + m * element_;
  }

  void move(const std::string& from, const std::string& to, std::vector<Dim> dims) {
    dims.insert(dims.begin(), outer_.begin(), outer_.end());
    if (std::any_of(dims.begin(), dims.end(), [](const Dim& d) { return d.extent == 0; })) return;
    const std::vector<uint8_t>& source = m_.placed(from);
    std::vector<uint8_t>& target = m_.expected(to);
    std::vector<int64_t> index(dims.size(), 0);
    for (bool more = true; more;) {
      int64_t read = shift_, written = 0;
      for (size_t d = 0; d < dims.size(); ++d) read += index[d] * dims[d].source, written += index[d] * dims[d].target;
      std::memcpy(target.data() + written, source.data() + read, static_cast<size_t>(element_));
      more = false;
      for (size_t d = dims.size(); d-- > 0 && !more;) {
        more = ++index[d] < dims[d].extent;
        if (!more) index[d] = 0;
      }
    }
  }

  ScenarioMaker& m_;
  int64_t element_;
  CopyMode mode_;
  std::vector<Dim> outer_, whole_, rest_;
  int64_t source_span_ = 0, target_span_ = 0, shift_ = 0;
};

}  // namespace

void make_copy(ScenarioMaker& m) { CopyMaker(m).run(); }

}  // namespace tailor::test
