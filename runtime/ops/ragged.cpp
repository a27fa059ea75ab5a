// pack, unpack, concat, split, ragged_transpose: validation, symbols and facts.
#include <bit>

#include <fmt/format.h>

#include "runtime/ops/operation.h"
#include "runtime/ops/validator.h"

namespace tailor {
namespace {

void row_facts(FactWriter& facts) {
  using namespace pack;  // every table of this file begins so
  facts.exact(kHeads, 1);
  facts.exact(kHeadDim, KeyField::kHeadDim);
  facts.exact(kElementBytes, facts.element());
}

void pack_facts(FactWriter& facts) {
  using namespace pack;
  row_facts(facts);
  facts.extents({kRows, kBatch, kPaddedRows});
  facts.addresses({kCuSeqlens}, 4);
  facts.status_word(kStatusWord);
  facts.source({kPadded}, {kPaddedSequenceStride, kPaddedRowStride}, {}, {kPaddedDimStride});
  facts.target({kPacked}, {kPackedRowStride}, {}, {kPackedDimStride});
}

void unpack_facts(FactWriter& facts) {
  using namespace unpack;
  row_facts(facts);
  facts.extents({kRows, kBatch, kPaddedRows, kSlots});
  facts.addresses({kCuSeqlens}, 4);
  facts.status_word(kStatusWord);
  facts.source({kPacked}, {kPackedRowStride}, {}, {kPackedDimStride});
  facts.target({kPadded}, {kPaddedSequenceStride, kPaddedRowStride}, {}, {kPaddedDimStride});
}

void concat_facts(FactWriter& facts) {
  using namespace concat;
  row_facts(facts);
  facts.extents({kARows, kBRows, kRows, kBatch});
  facts.addresses({kCuA, kCuB}, 4);
  facts.status_word(kStatusWord);
  facts.source({kA, kB}, {kARowStride, kBRowStride}, {}, {kADimStride, kBDimStride});
  facts.target({kOut}, {kOutRowStride}, {}, {kOutDimStride});
}

void split_facts(FactWriter& facts) {
  using namespace split;
  row_facts(facts);
  facts.extents({kARows, kBRows, kRows, kBatch});
  facts.addresses({kCuA, kCuB}, 4);
  facts.status_word(kStatusWord);
  facts.source({kPacked}, {kPackedRowStride}, {}, {kPackedDimStride});
  facts.target({kA, kB}, {kARowStride, kBRowStride}, {}, {kADimStride, kBDimStride});
}

void ragged_transpose_facts(FactWriter& facts) {
  using namespace ragged_transpose;
  row_facts(facts);
  facts.extents({kRows, kBatch});
  facts.add(Fact::range(kTargetElements, 0, std::numeric_limits<int64_t>::max()));
  facts.exact(kLengthMultiple, int64_t{1} << facts.value(KeyField::kLengthMultipleLog2));
  facts.addresses({kCuSeqlens}, 4);
  facts.status_word(kStatusWord);
  facts.source({kSource}, {kSourceRowStride}, {}, {kSourceDimStride});
  facts.target({kTarget}, {}, {}, {});
}

// The low bytes of `bits`, an element's, repeated to 8 bytes.
int64_t repeated(uint64_t bits, int64_t element) {
  for (int64_t width = 8 * element; width < 64; width *= 2) {
    bits &= (uint64_t{1} << width) - 1;
    bits |= bits << width;
  }
  return static_cast<int64_t>(bits);
}

// A padded and a packed operand, whichever is written.
struct PaddedOperands {
  Operand padded, cu, packed, status;
  Tensor status_storage;
  int64_t batch() const { return padded.extent(0); }
  int64_t rows() const { return packed.extent(0); }
  int64_t head_dim() const { return padded.extent(2); }
};

template <class Op>
bool check_padded(const Op& op, PaddedOperands& o, Validator& check, bool packs) {
  if (!(check.tensor<3>(o.padded, "padded", op.padded) && check.indices<1>(o.cu, "cu_seqlens", op.cu_seqlens) &&
        check.tensor<2>(o.packed, "packed", op.packed) &&
        check.status_word(o.status, o.status_storage, op.status_word))) [[unlikely]] {
    return false;
  }
  const Operand& written = packs ? o.packed : o.padded;
  const Operand& read = packs ? o.padded : o.packed;
  return check.same_dtype(o.packed, o.padded) && check.extent(o.packed, 1, o.head_dim(), "padded.shape[2]") &&
         check.extent(o.cu, 0, o.batch() + 1, "padded.shape[0] + 1") && check.write_once(written) &&
         check.apart(written, {&read, &o.cu, &o.status}) && check.apart(o.status, {&read, &o.cu});
}

// The two halves of a ragged batch, and what they are joined to.
struct JoinedOperands {
  Operand a, cu_a, b, cu_b, joined, status;
  Tensor status_storage;
  int64_t batch() const { return cu_a.extent(0) - 1; }
  int64_t head_dim() const { return joined.extent(1); }
};

template <class Op>
bool check_joined(const Op& op, const char* name, const Tensor& joined, JoinedOperands& o, Validator& check) {
  if (!(check.tensor<2>(o.joined, name, joined) && check.tensor<2>(o.a, "a", op.a) &&
        check.indices<1>(o.cu_a, "cu_a", op.cu_a) && check.tensor<2>(o.b, "b", op.b) &&
        check.indices<1>(o.cu_b, "cu_b", op.cu_b) && check.status_word(o.status, o.status_storage, op.status_word)))
      [[unlikely]] {
    return false;
  }
  if (o.cu_a.extent(0) == 0) [[unlikely]]
    return check.refuse("cu_a.shape[0] is 0; it must be the number of sequences + 1");
  return check.same_dtype(o.a, o.joined) && check.same_dtype(o.b, o.joined) &&
         check.extent(o.a, 1, o.head_dim(), "D of the joined rows") &&
         check.extent(o.b, 1, o.head_dim(), "D of the joined rows") &&
         check.extent(o.cu_b, 0, o.cu_a.extent(0), "cu_a.shape[0]");
}

void set_joined(const JoinedOperands& o, Problem& problem) {
  problem.empty = o.batch() == 0 || o.head_dim() == 0 || (o.a.extent(0) == 0 && o.b.extent(0) == 0);
  problem.index64 = needs_index64({&o.a, &o.cu_a, &o.b, &o.cu_b, &o.joined}, std::max(o.a.extent(0), o.b.extent(0)),
                                  {1, o.head_dim()}, o.joined.element);
}

// target [N * D] elements, dense, which may be more than an extent of a row operand can say.
bool check_flat_target(Operand& o, const Tensor& t, const Operand& source, Validator& check) {
  const int64_t elements = source.extent(0) * source.extent(1);
  if (t.rank != 1) return check.refuse(fmt::format("target.rank is {}; it must be 1", t.rank));
  if (t.shape[0] != elements) {
    return check.refuse(
        fmt::format("target.shape[0] is {}; it must equal the elements of source ({})", t.shape[0], elements));
  }
  return check.dense(o, "target", t);
}

}  // namespace

template <>
const Operation& operation_of<Pack>() {
  static constexpr Operation kOperation{pack::kSymbols, pack_facts};
  return kOperation;
}
template <>
const Operation& operation_of<Unpack>() {
  static constexpr Operation kOperation{unpack::kSymbols, unpack_facts, unpack::kProducts};
  return kOperation;
}
template <>
const Operation& operation_of<Concat>() {
  static constexpr Operation kOperation{concat::kSymbols, concat_facts};
  return kOperation;
}
template <>
const Operation& operation_of<Split>() {
  static constexpr Operation kOperation{split::kSymbols, split_facts};
  return kOperation;
}
template <>
const Operation& operation_of<RaggedTranspose>() {
  static constexpr Operation kOperation{ragged_transpose::kSymbols, ragged_transpose_facts};
  return kOperation;
}

Status fill_problem(const Pack& op, Problem& problem) {
  using namespace pack;
  PaddedOperands o;
  Validator check;
  if (!check_padded(op, o, check, true)) [[unlikely]]
    return check.take();
  const int64_t head_dim = o.head_dim(), element = o.padded.element;
  set_flat_rows(problem, OpId::kPack, head_dim, element, flat_side({&o.padded}, head_dim),
                flat_side({&o.packed}, head_dim));
  problem.empty = o.rows() == 0 || o.batch() == 0 || head_dim == 0;
  problem.index64 = needs_index64({&o.padded, &o.cu, &o.packed}, o.rows(), {1, head_dim}, element);
  auto& v = problem.values;
  v[kHeads] = 1;
  v[kHeadDim] = head_dim;
  v[kElementBytes] = element;
  v[kPadded] = o.padded.address();
  v[kCuSeqlens] = o.cu.address();
  v[kPacked] = o.packed.address();
  v[kStatusWord] = o.status.address();
  problem.reports = o.status.address() != 0;
  v[kRows] = o.rows();
  v[kBatch] = o.batch();
  v[kPaddedRows] = o.padded.extent(1);
  v[kPaddedSequenceStride] = o.padded.stride(0);
  v[kPaddedRowStride] = o.padded.stride(1);
  v[kPaddedDimStride] = flat_stride(o.padded, head_dim);
  v[kPackedRowStride] = o.packed.stride(0);
  v[kPackedDimStride] = flat_stride(o.packed, head_dim);
  return {};
}

Status fill_problem(const Unpack& op, Problem& problem) {
  using namespace unpack;
  PaddedOperands o;
  Validator check;
  if (!check_padded(op, o, check, false)) [[unlikely]]
    return check.take();
  const int64_t head_dim = o.head_dim(), element = o.padded.element, slots = o.batch() * o.padded.extent(1);
  if (slots >= kExtentLimit) [[unlikely]] {
    check.refuse(fmt::format("padded.shape[0] * padded.shape[1] is {}; the rows of padded must be below 2^31", slots));
    return check.take();
  }
  set_flat_rows(problem, OpId::kUnpack, head_dim, element, flat_side({&o.packed}, head_dim),
                flat_side({&o.padded}, head_dim));
  problem.empty = slots == 0 || head_dim == 0;
  problem.index64 = needs_index64({&o.padded, &o.cu, &o.packed}, slots, {1, head_dim}, element);
  auto& v = problem.values;
  v[kHeads] = 1;
  v[kHeadDim] = head_dim;
  v[kElementBytes] = element;
  v[kPacked] = o.packed.address();
  v[kCuSeqlens] = o.cu.address();
  v[kPadded] = o.padded.address();
  v[kStatusWord] = o.status.address();
  problem.reports = o.status.address() != 0;
  v[kRows] = o.rows();
  v[kBatch] = o.batch();
  v[kPaddedRows] = o.padded.extent(1);
  v[kSlots] = slots;
  v[kFill] = repeated(op.fill, element);
  v[kPackedRowStride] = o.packed.stride(0);
  v[kPackedDimStride] = flat_stride(o.packed, head_dim);
  v[kPaddedSequenceStride] = o.padded.stride(0);
  v[kPaddedRowStride] = o.padded.stride(1);
  v[kPaddedDimStride] = flat_stride(o.padded, head_dim);
  return {};
}

Status fill_problem(const Concat& op, Problem& problem) {
  using namespace concat;
  JoinedOperands o;
  Validator check;
  if (!(check_joined(op, "out", op.out, o, check) && check.write_once(o.joined) &&
        check.apart(o.joined, {&o.a, &o.cu_a, &o.b, &o.cu_b, &o.status}) &&
        check.apart(o.status, {&o.a, &o.cu_a, &o.b, &o.cu_b}))) [[unlikely]] {
    return check.take();
  }
  const int64_t head_dim = o.head_dim(), element = o.joined.element;
  set_flat_rows(problem, OpId::kConcat, head_dim, element, flat_side({&o.a, &o.b}, head_dim),
                flat_side({&o.joined}, head_dim));
  set_joined(o, problem);
  auto& v = problem.values;
  v[kHeads] = 1;
  v[kHeadDim] = head_dim;
  v[kElementBytes] = element;
  v[kA] = o.a.address();
  v[kCuA] = o.cu_a.address();
  v[kB] = o.b.address();
  v[kCuB] = o.cu_b.address();
  v[kOut] = o.joined.address();
  v[kStatusWord] = o.status.address();
  problem.reports = o.status.address() != 0;
  v[kARows] = o.a.extent(0);
  v[kBRows] = o.b.extent(0);
  v[kRows] = o.joined.extent(0);
  v[kBatch] = o.batch();
  v[kARowStride] = o.a.stride(0);
  v[kADimStride] = flat_stride(o.a, head_dim);
  v[kBRowStride] = o.b.stride(0);
  v[kBDimStride] = flat_stride(o.b, head_dim);
  v[kOutRowStride] = o.joined.stride(0);
  v[kOutDimStride] = flat_stride(o.joined, head_dim);
  return {};
}

Status fill_problem(const Split& op, Problem& problem) {
  using namespace split;
  JoinedOperands o;
  Validator check;
  if (!(check_joined(op, "packed", op.packed, o, check) && check.write_once(o.a) && check.write_once(o.b) &&
        check.apart(o.a, {&o.joined, &o.cu_a, &o.cu_b, &o.status, &o.b}) &&
        check.apart(o.b, {&o.joined, &o.cu_a, &o.cu_b, &o.status}) &&
        check.apart(o.status, {&o.joined, &o.cu_a, &o.cu_b}))) [[unlikely]] {
    return check.take();
  }
  const int64_t head_dim = o.head_dim(), element = o.joined.element;
  set_flat_rows(problem, OpId::kSplit, head_dim, element, flat_side({&o.joined}, head_dim),
                flat_side({&o.a, &o.b}, head_dim));
  set_joined(o, problem);
  auto& v = problem.values;
  v[kHeads] = 1;
  v[kHeadDim] = head_dim;
  v[kElementBytes] = element;
  v[kPacked] = o.joined.address();
  v[kCuA] = o.cu_a.address();
  v[kA] = o.a.address();
  v[kCuB] = o.cu_b.address();
  v[kB] = o.b.address();
  v[kStatusWord] = o.status.address();
  problem.reports = o.status.address() != 0;
  v[kARows] = o.a.extent(0);
  v[kBRows] = o.b.extent(0);
  v[kRows] = o.joined.extent(0);
  v[kBatch] = o.batch();
  v[kPackedRowStride] = o.joined.stride(0);
  v[kPackedDimStride] = flat_stride(o.joined, head_dim);
  v[kARowStride] = o.a.stride(0);
  v[kADimStride] = flat_stride(o.a, head_dim);
  v[kBRowStride] = o.b.stride(0);
  v[kBDimStride] = flat_stride(o.b, head_dim);
  return {};
}

Status fill_problem(const RaggedTranspose& op, Problem& problem) {
  using namespace ragged_transpose;
  Operand source, cu, target, status;
  Tensor status_storage;
  Validator check;
  if (!(check.tensor<2>(source, "source", op.source) && check.indices<1>(cu, "cu_seqlens", op.cu_seqlens) &&
        check_flat_target(target, op.target, source, check) &&
        check.status_word(status, status_storage, op.status_word) && check.same_dtype(target, source))) [[unlikely]] {
    return check.take();
  }
  if (cu.extent(0) == 0) [[unlikely]] {
    check.refuse("cu_seqlens.shape[0] is 0; it must be the number of sequences + 1");
    return check.take();
  }
  if (op.length_multiple < 1) [[unlikely]] {
    check.refuse(fmt::format("length_multiple is {}; it must be at least 1", op.length_multiple));
    return check.take();
  }
  if (!(check.apart(target, {&source, &cu, &status}) && check.apart(status, {&source, &cu}))) [[unlikely]]
    return check.take();
  const int64_t rows = source.extent(0), head_dim = source.extent(1), element = source.element;
  set_flat_rows(problem, OpId::kRaggedTranspose, head_dim, element, flat_side({&source}, head_dim),
                {RowContiguity::kRow, align_log2(target.begin)});
  problem.empty = rows == 0 || cu.extent(0) == 1 || head_dim == 0;
  problem.index64 = needs_index64({&source, &cu, &target}, rows, {1, head_dim}, element);
  // What canonical_form keeps of it: no more than makes the widest store.
  const auto widest = static_cast<uint8_t>(kMaxAlignLog2 - problem.element_log2);
  problem.length_multiple_log2 = std::min(align_log2(static_cast<uint64_t>(op.length_multiple)), widest);
  auto& v = problem.values;
  v[kHeads] = 1;
  v[kHeadDim] = head_dim;
  v[kElementBytes] = element;
  v[kSource] = source.address();
  v[kCuSeqlens] = cu.address();
  v[kTarget] = target.address();
  v[kStatusWord] = status.address();
  problem.reports = status.address() != 0;
  v[kRows] = rows;
  v[kBatch] = cu.extent(0) - 1;
  v[kTargetElements] = rows * head_dim;
  v[kLengthMultiple] =
      int64_t{1} << std::min<int>(problem.length_multiple_log2, problem.target_align_log2 - problem.element_log2);
  v[kSourceRowStride] = source.stride(0);
  v[kSourceDimStride] = flat_stride(source, head_dim);
  return {};
}

}  // namespace tailor
