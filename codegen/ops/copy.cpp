#include "codegen/ops/copy.h"

#include <utility>
#include <vector>

#include "codegen/ops/key_views.h"
#include "runtime/bucket/learned_residues.h"

namespace tailor::codegen::ops {

namespace symbols = tailor::copy;
using tile::constant;
using tile::Relation;
using tile::term;

namespace {

// A dimension of both sides.
struct Both {
  tile::Extent extent;
  tile::Stride source, target;
};

tile::Stride times(const tile::Stride& stride, int64_t factor) {
  if (stride.exact) return tile::Stride::constant(*stride.exact * factor);
  return tile::Stride::of(stride.symbol, stride.divisor * factor, stride.factor * factor);
}

class CopyProgram {
 public:
  explicit CopyProgram(const Key& key)
      : key_(key), views_(key), element_(views_.element_bytes()), b_(std::string(entry_symbol(key.op()))) {
    const auto rank = static_cast<int>(key.get(KeyField::kOuterRank));
    for (int d = 0; d < rank; ++d) {
      outer_.push_back(
          {extent(symbols::kExtent0 + d), stride(symbols::kSourceStride0 + d), stride(symbols::kTargetStride0 + d)});
    }
  }

  tile::Program run() {
    const Both run{extent(symbols::kHeadDim), stride(symbols::kSourceDimStride), stride(symbols::kTargetDimStride)};
    if (key_.get(KeyField::kVariant) == static_cast<uint64_t>(CopyMode::kTransposed)) {
      matrices();
    } else if (run.extent.exact) {
      loop(outer_, run, symbols::kSource, symbols::kTarget, symbols::kRows);
    } else {
      pieces(run, kRunPieceBytes / element_, {});
    }
    return b_.finish();
  }

 private:
  // M lies closest to the loop's index: neighbouring rows are neighbours in the target.
  void matrices() {
    const Both line{extent(symbols::kMatrixRows), stride(symbols::kSourceMatrixStride),
                    tile::Stride::constant(element_)};
    const Both columns{extent(symbols::kMatrixColumns), tile::Stride::constant(element_),
                       stride(symbols::kTargetMatrixStride)};
    pieces(columns, residue_modulus(ResidueKind::kMatrixColumns), {line});
  }

  // The dimension `run` in whole pieces of `whole` elements, then the rest; `inner` dimensions stand between.
  void pieces(const Both& run, int64_t whole, const std::vector<Both>& inner) {
    const auto around = [&](std::vector<Both> dims) {
      dims.insert(dims.begin(), outer_.begin(), outer_.end());
      dims.insert(dims.end(), inner.begin(), inner.end());
      return dims;
    };
    const auto of = [&](int64_t count) { return Both{tile::Extent::constant(count), run.source, run.target}; };
    loop(around({{extent(symbols::kPieces), times(run.source, whole), times(run.target, whole)}}), of(whole),
         symbols::kSource, symbols::kTarget, symbols::kPieceRows);
    const tile::Extent rest = extent(symbols::kRest);
    if (rest.exact == int64_t{0}) return;
    if (rest.exact) {
      loop(around({}), of(*rest.exact), symbols::kSourceRest, symbols::kTargetRest, symbols::kRestRows);
    } else {
      loop(around({{rest, run.source, run.target}}), of(1), symbols::kSourceRest, symbols::kTargetRest,
           symbols::kRestElements);
    }
  }

  // Every index of `dims`, as one number below the symbol `count`, outermost first.
  void loop(std::vector<Both> dims, const Both& run, uint16_t from, uint16_t to, uint16_t count) {
    if (dims.empty())
      dims = {{tile::Extent::of(views_.name(count)), tile::Stride::constant(0), tile::Stride::constant(0)}};
    const tile::ViewId source = view(from, tile::Role::kRead, dims, run, &Both::source);
    const tile::ViewId target = view(to, tile::Role::kWrite, dims, run, &Both::target);
    b_.rows("row", tile::Extent::of(views_.name(count)), [&](tile::ValueId row) {
      std::vector<tile::ValueId> indices(dims.size());
      tile::ValueId rest = row;
      for (size_t d = dims.size(); d-- > 1;) {
        const auto place = b_.resolve("above", "index", rest, dims[d].extent);
        within(place.slot, dims[d].extent);
        b_.check({constant(0), term(place.column)}, {Relation::kLessEqual});
        indices[d] = place.slot;
        rest = place.column;
      }
      within(rest, dims[0].extent);
      indices[0] = rest;
      b_.copy(target, indices, source, indices);
    });
  }

  // Of what the host promises by its extents, but the kernel does not build on.
  void within(tile::ValueId index, const tile::Extent& extent) {
    b_.check({constant(0), term(index), term(extent)}, {Relation::kLessEqual, Relation::kLess});
  }

  tile::ViewId view(uint16_t address, tile::Role role, const std::vector<Both>& dims, const Both& run,
                    tile::Stride Both::*side) {
    tile::View view = views_.at(address, role);
    for (const Both& d : dims) view.dims.push_back({d.extent, d.*side});
    view.dims.push_back({tile::Extent::constant(1), tile::Stride::constant(0)});
    view.dims.push_back({tile::Extent::constant(*run.extent.exact), run.*side});
    return b_.view(std::move(view));
  }

  tile::Extent extent(int symbol) const { return views_.extent(static_cast<uint16_t>(symbol)); }
  tile::Stride stride(int symbol) const { return views_.stride(static_cast<uint16_t>(symbol)); }

  const Key& key_;
  KeyViews views_;
  int64_t element_;
  tile::Builder b_;
  std::vector<Both> outer_;
};

}  // namespace

Expected<tile::Program> copy(const Key& key) {
  TAILOR_RETURN_IF_ERROR(validate(key));
  return CopyProgram(key).run();
}

}  // namespace tailor::codegen::ops
