// gather_rows, scatter_rows, convert: validation, symbols and facts.
#include <fmt/format.h>

#include "runtime/bucket/key_domain.h"
#include "runtime/ops/operation.h"
#include "runtime/ops/validator.h"

namespace tailor {
namespace {

void gather_rows_facts(FactWriter& facts) {
  using namespace gather_rows;
  facts.exact(kHeads, 1);
  facts.exact(kHeadDim, KeyField::kHeadDim);
  facts.exact(kElementBytes, facts.element());
  facts.extents({kRows, kSourceRows});
  facts.addresses({kIndex}, int64_t{1} << facts.value(KeyField::kIndexLog2));
  facts.status_word(kStatusWord);
  facts.source({kSource}, {kSourceRowStride}, {}, {kSourceDimStride});
  facts.target({kTarget}, {kTargetRowStride}, {}, {kTargetDimStride});
}

void scatter_rows_facts(FactWriter& facts) {
  using namespace scatter_rows;
  facts.exact(kHeads, 1);
  facts.exact(kHeadDim, KeyField::kHeadDim);
  facts.exact(kElementBytes, facts.element());
  facts.extents({kRows, kTargetRows});
  facts.addresses({kIndex}, int64_t{1} << facts.value(KeyField::kIndexLog2));
  facts.status_word(kStatusWord);
  facts.source({kSource}, {kSourceRowStride}, {}, {kSourceDimStride});
  facts.target({kTarget}, {kTargetRowStride}, {}, {kTargetDimStride});
}

void convert_facts(FactWriter& facts) {
  using namespace convert;
  const int64_t target_element = element_bytes(static_cast<DType>(facts.value(KeyField::kTargetType)));
  facts.exact(kHeads, 1);
  facts.exact(kHeadDim, KeyField::kHeadDim);
  facts.exact(kElementBytes, facts.element());
  facts.exact(kTargetElementBytes, target_element);
  facts.extents({kRows});
  if (facts.value(KeyField::kVariant) == 0) {
    facts.exact(kScale, 0);
  } else {
    facts.addresses({kScale}, 4);
  }
  facts.source({kSource}, {kSourceRowStride}, {}, {kSourceDimStride});
  facts.target(target_element, {kTarget}, {kTargetRowStride}, {}, {kTargetDimStride});
}

// Rows moved by an index: source is gathered, or target scattered to.
struct IndexedOperands {
  Operand source, index, target, status;
  Tensor status_storage;
};

template <class Op>
bool check_indexed(const Op& op, IndexedOperands& o, Validator& check, bool gathers) {
  if (!(check.tensor<2>(o.source, "source", op.source) && check.indices<1>(o.index, "index", op.index, true) &&
        check.tensor<2>(o.target, "target", op.target) &&
        check.status_word(o.status, o.status_storage, op.status_word))) [[unlikely]] {
    return false;
  }
  const Operand& moved = gathers ? o.target : o.source;
  return check.same_dtype(o.target, o.source) && check.extent(o.target, 1, o.source.extent(1), "source.shape[1]") &&
         check.extent(o.index, 0, moved.extent(0), gathers ? "target.shape[0]" : "source.shape[0]") &&
         check.write_once(o.target) && check.apart(o.target, {&o.source, &o.index, &o.status}) &&
         check.apart(o.status, {&o.source, &o.index});
}

// gather_rows and scatter_rows number their symbols alike; `named` is the operand whose rows the index names.
void set_indexed(const IndexedOperands& o, OpId op, const Operand& named, Problem& problem) {
  using namespace gather_rows;
  static_assert(static_cast<int>(kSourceRows) == static_cast<int>(scatter_rows::kTargetRows) &&
                static_cast<int>(kTargetDimStride) == static_cast<int>(scatter_rows::kTargetDimStride) &&
                static_cast<int>(kSymbolCount) == static_cast<int>(scatter_rows::kSymbolCount));
  const int64_t rows = o.index.extent(0), head_dim = o.source.extent(1), element = o.source.element;
  set_flat_rows(problem, op, head_dim, element, flat_side({&o.source}, head_dim), flat_side({&o.target}, head_dim));
  problem.empty = rows == 0 || head_dim == 0;
  problem.index64 = needs_index64({&o.source, &o.index, &o.target}, rows, {1, head_dim}, element);
  problem.index_log2 = o.index.element == 8 ? 3 : 2;
  auto& v = problem.values;
  v[kHeads] = 1;
  v[kHeadDim] = head_dim;
  v[kElementBytes] = element;
  v[kSource] = o.source.address();
  v[kIndex] = o.index.address();
  v[kTarget] = o.target.address();
  v[kStatusWord] = o.status.address();
  problem.reports = o.status.address() != 0;
  v[kRows] = rows;
  v[kSourceRows] = named.extent(0);
  v[kSourceRowStride] = o.source.stride(0);
  v[kSourceDimStride] = flat_stride(o.source, head_dim);
  v[kTargetRowStride] = o.target.stride(0);
  v[kTargetDimStride] = flat_stride(o.target, head_dim);
}

bool check_type(const Operand& o, Validator& check) {
  if (convertible(o.tensor->dtype)) return true;
  return check.refuse(fmt::format("{}.dtype is {}; it must be f32, f16, bf16, fp8_e4m3 or fp8_e5m2", o.name,
                                  to_string(o.tensor->dtype)));
}

bool check_scale(Operand& o, const Tensor& scale, Validator& check) {
  if (scale.address == 0) {
    o = {"scale", &scale, 4, true, 0, 0};
    return true;
  }
  if (!check.tensor<1>(o, "scale", scale)) return false;
  if (scale.dtype != DType::kFloat32) {
    return check.refuse(fmt::format("scale.dtype is {}; it must be f32", to_string(scale.dtype)));
  }
  return check.extent(o, 0, 1, "the number of scales");
}

}  // namespace

template <>
const Operation& operation_of<GatherRows>() {
  static constexpr Operation kOperation{gather_rows::kSymbols, gather_rows_facts};
  return kOperation;
}
template <>
const Operation& operation_of<ScatterRows>() {
  static constexpr Operation kOperation{scatter_rows::kSymbols, scatter_rows_facts};
  return kOperation;
}
template <>
const Operation& operation_of<Convert>() {
  static constexpr Operation kOperation{convert::kSymbols, convert_facts};
  return kOperation;
}

Status fill_problem(const GatherRows& op, Problem& problem) {
  IndexedOperands operands;
  Validator check;
  if (!check_indexed(op, operands, check, true)) [[unlikely]]
    return check.take();
  set_indexed(operands, OpId::kGatherRows, operands.source, problem);
  return {};
}

Status fill_problem(const ScatterRows& op, Problem& problem) {
  IndexedOperands operands;
  Validator check;
  if (!check_indexed(op, operands, check, false)) [[unlikely]]
    return check.take();
  set_indexed(operands, OpId::kScatterRows, operands.target, problem);
  return {};
}

Status fill_problem(const Convert& op, Problem& problem) {
  using namespace convert;
  Operand source, target, scale;
  Validator check;
  if (!(check.tensor<2>(source, "source", op.source) && check.tensor<2>(target, "target", op.target) &&
        check_type(source, check) && check_type(target, check) && check_scale(scale, op.scale, check) &&
        check.extent(target, 0, source.extent(0), "source.shape[0]") &&
        check.extent(target, 1, source.extent(1), "source.shape[1]") && check.write_once(target) &&
        check.apart(target, {&source, &scale}))) [[unlikely]] {
    return check.take();
  }
  const int64_t rows = source.extent(0), head_dim = source.extent(1);
  set_flat_rows(problem, OpId::kConvert, head_dim, source.element, flat_side({&source}, head_dim),
                flat_side({&target}, head_dim));
  problem.empty = rows == 0 || head_dim == 0;
  problem.index64 = needs_index64({&source, &target}, rows, {1, head_dim}, std::max(source.element, target.element));
  problem.source_type = op.source.dtype;
  problem.target_type = op.target.dtype;
  problem.variant = scale.empty ? 0 : 1;
  auto& v = problem.values;
  v[kHeads] = 1;
  v[kHeadDim] = head_dim;
  v[kElementBytes] = source.element;
  v[kTargetElementBytes] = target.element;
  v[kSource] = source.address();
  v[kTarget] = target.address();
  v[kScale] = scale.address();
  v[kRows] = rows;
  v[kSourceRowStride] = source.stride(0);
  v[kSourceDimStride] = flat_stride(source, head_dim);
  v[kTargetRowStride] = target.stride(0);
  v[kTargetDimStride] = flat_stride(target, head_dim);
  return {};
}

}  // namespace tailor
