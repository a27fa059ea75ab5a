#include "runtime/cli/static_key.h"

#include <bit>

#include <fmt/format.h>

#include "runtime/bucket/key_domain.h"
#include "runtime/cli/range.h"
#include "runtime/ops/problem.h"

namespace tailor::cli {
namespace {

// Addresses far enough apart for any operand that validation accepts with these extents.
constexpr uint64_t kBase = uint64_t{1} << 20;
constexpr uint64_t kApart = uint64_t{1} << 56;
constexpr int64_t kRows = 8, kPages = 8, kBatch = 2;

std::string operation_names() {
  std::string names;
#define X(name, text, entry) names += (names.empty() ? "" : ", ") + std::string(text);
  TAILOR_OPS(X)
#undef X
  return names;
}

Expected<OpId> operation(const StaticFlags& flags) {
  if (const auto op = parse_op(flags.op)) return *op;
  return invalid_argument(fmt::format("the operation is '{}'; it must be one of {}", flags.op, operation_names()));
}

std::optional<CopyMode> parse_copy_mode(std::string_view s) {
#define X(name, text, meaning) \
  if (s == text) return CopyMode::name;
  TAILOR_COPY_MODES(X)
#undef X
  return std::nullopt;
}

std::optional<DType> parse_index(std::string_view s) {
  const auto dtype = parse_dtype(s);
  return dtype == DType::kInt32 || dtype == DType::kInt64 ? dtype : std::nullopt;
}

struct Operands {
  const KeyFlags& flags;
  uint64_t next = kBase;

  uint64_t place(int64_t misalign) { return (next += kApart) + static_cast<uint64_t>(misalign); }
  Tensor pool() {
    const StaticFlags& c = flags.configuration;
    const uint64_t address = place(flags.misalign_bytes);
    return flags.layout == PageLayout::kSlotMajor
               ? Tensor::dense(address, c.dtype, {kPages, c.page_size, c.heads, c.head_dim})
               : Tensor::dense(address, c.dtype, {kPages, c.heads, c.page_size, c.head_dim});
  }
  Tensor rows() {
    const StaticFlags& c = flags.configuration;
    Tensor view = Tensor::dense(place(flags.misalign_bytes), c.dtype, {kRows, c.heads, c.head_dim});
    view.stride[0] += flags.pad_row;
    return view;
  }
  uint64_t status_word() { return flags.configuration.reports ? place(0) : 0; }
  Tensor indices(std::initializer_list<int64_t> shape) { return Tensor::dense(place(0), DType::kInt32, shape); }
};

template <class Append>
void fill_append(Operands& make, const KeyFlags& flags, Append& append) {
  append.k = make.rows();
  append.v = make.rows();
  append.batch_index = make.indices({kRows});
  append.position = make.indices({kRows});
  append.k_pages = make.pool();
  append.v_pages = make.pool();
  append.layout = flags.layout;
  append.block_table = make.indices({kBatch, 4});
  append.status_word = make.status_word();
}

Expected<Problem> paged_problem(OpId op, const KeyFlags& flags, const StaticConfiguration& c) {
  Operands make{flags};
  if (op == OpId::kPagedGather) {
    PagedGather gather;
    gather.pages = make.pool();
    gather.layout = flags.layout;
    gather.block_table = make.indices({kBatch, 4});
    gather.seq_lens = make.indices({kBatch});
    gather.cu_seqlens = make.indices({kBatch + 1});
    gather.packed = make.rows();
    gather.status_word = make.status_word();
    return make_problem(gather);
  }
  if (op == OpId::kPagedAppend) {
    PagedAppend append;
    fill_append(make, flags, append);
    return make_problem(append);
  }
  AppendRope rope;
  fill_append(make, flags, rope);
  rope.cos = Tensor::dense(make.place(0), c.target_type, {kRows, c.rotary_dim / 2});
  rope.sin = Tensor::dense(make.place(0), c.target_type, {kRows, c.rotary_dim / 2});
  rope.style = static_cast<RopeStyle>(c.variant);
  return make_problem(rope);
}

// Rows, runs or a matrix without a page: what a launch would find in dense operands, padded and misaligned as the flags
// say.
Expected<Problem> flat_problem(OpId op, const KeyFlags& flags, const StaticConfiguration& c) {
  const KeyDomain domain = key_domain(op);
  const bool converts = domain.computes == Computes::kConvert;
  const int64_t source_element = converts ? element_bytes(c.source_type) : c.element_bytes;
  const int64_t target_element = converts ? element_bytes(c.target_type) : source_element;
  for (const int64_t element : {source_element, target_element}) {
    if (flags.misalign_bytes % element != 0) {
      return invalid_argument(fmt::format("--misalign is {}; it must be a multiple of the element size ({} bytes)",
                                          flags.misalign_bytes, element));
    }
  }
  const auto log2 = [](int64_t powers) {
    return static_cast<uint8_t>(std::countr_zero(static_cast<uint64_t>(powers) | uint64_t{1} << kMaxAlignLog2));
  };
  Problem problem;
  problem.op = op;
  problem.element_log2 = log2(source_element);
  problem.head_dim = c.head_dim;
  problem.reports = domain.reports && c.reports;
  problem.index_log2 = domain.index ? log2(c.index_bytes) : uint8_t{2};
  problem.variant = static_cast<uint8_t>(c.variant);
  problem.outer_rank = static_cast<uint8_t>(domain.strided ? c.outer_rank : 0);
  if (converts) problem.source_type = c.source_type, problem.target_type = c.target_type;
  int64_t source_row = flags.configuration.head_dim + flags.pad_row, target_row = source_row;
  if (domain.strided && static_cast<CopyMode>(c.variant) == CopyMode::kTransposed) {
    source_row = flags.matrix_columns + flags.pad_row;
    target_row = flags.matrix_rows + flags.pad_row;
    problem.columns_residue = static_cast<int16_t>(flags.matrix_columns % residue_modulus(ResidueKind::kMatrixColumns));
  } else if (domain.strided && c.head_dim == 0) {
    problem.columns_residue =
        static_cast<int16_t>(flags.configuration.head_dim * source_element % residue_modulus(ResidueKind::kRunBytes));
  }
  if (domain.strided && static_cast<CopyMode>(c.variant) == CopyMode::kElements) {
    problem.source_contiguity = RowContiguity::kNone;
  }
  problem.source_align_log2 = log2(flags.misalign_bytes | source_row * source_element);
  problem.target_align_log2 = log2(flags.misalign_bytes | target_row * target_element);
  if (domain.sides == Sides::kTransposed) {
    problem.target_align_log2 = log2(flags.misalign_bytes);
    problem.length_multiple_log2 =
        std::min<uint8_t>(log2(flags.length_multiple), static_cast<uint8_t>(kMaxAlignLog2 - problem.element_log2));
  }
  return problem;
}

Expected<Key> printed_key(const KeyFlags& flags) {
  const std::string& op_text = flags.configuration.op;
  if (!op_text.empty()) TAILOR_RETURN_IF_ERROR(operation(flags.configuration).status());
  if (flags.key->empty()) return invalid_argument("--key is empty; it must be a key as `tailor buckets` prints it");
  TAILOR_ASSIGN_OR_RETURN(const Key key, parse_key(*flags.key));
  const std::string_view of_key = to_string(static_cast<OpId>(key.get(KeyField::kOp)));
  if (!op_text.empty() && of_key != op_text) {
    return invalid_argument(fmt::format("--key is of {}; it must be of {}, the operation given", of_key, op_text));
  }
  return key;
}

}  // namespace

void add_static_flags(CLI::App& app, StaticFlags& flags) {
  app.add_option("op", flags.op, operation_names());
  app.add_option("--heads", flags.heads, "H, of the paged operations");
  app.add_option("--head-dim", flags.head_dim, "D; copy: elements of a run");
  app.add_option("--page-size", flags.page_size, "tokens per page, of the paged operations");
  add_dtype_flag(app, flags.dtype);
  add_choice(app, "--to", flags.other_dtype, parse_dtype, "f32, f16, bf16, fp8_e4m3, fp8_e5m2",
             "element type of convert's target, of append_rope's cos and sin", to_string(flags.other_dtype));
  app.add_flag("--scale", flags.scale, "convert multiplies by a scale");
  add_choice(app, "--style", flags.style, parse_rope_style, "halves, interleaved", "which elements append_rope pairs",
             to_string(flags.style));
  app.add_option("--rotary-dim", flags.rotary_dim, "dimensions that append_rope rotates; 0: all");
  add_choice(app, "--index", flags.index, parse_index, "i32, i64", "index type of gather_rows and scatter_rows",
             to_string(flags.index));
  add_choice(app, "--mode", flags.mode, parse_copy_mode, "rows, transposed, elements", "how copy is made",
             to_string(flags.mode));
  app.add_option("--outer-rank", flags.outer_rank, "dimensions around the run or the matrix of copy");
  app.add_flag("--status,!--no-status", flags.reports,
               "the kernel for callers with a status word, or without (the default)");
  add_target_flags(app, flags.target, to_string(kDefaultArch));
}

void add_key_flags(CLI::App& app, KeyFlags& flags) {
  add_static_flags(app, flags.configuration);
  app.add_option_function<std::string>(
         "--key", [&flags](const std::string& text) { flags.key = text; },
         "a key as `tailor buckets` prints it, instead of the options above")
      ->type_name("KEY");
  add_layout_flag(app, flags.layout);
  app.add_option("--misalign", flags.misalign_bytes, "offset of the bases of moved operands from a boundary")
      ->type_name("BYTES");
  app.add_option("--pad-row", flags.pad_row, "elements between the end of a packed row and the next");
  app.add_flag("--index64", flags.index64, "operands of 2 GiB or more");
  app.add_option("--length-multiple", flags.length_multiple, "what divides every length of ragged_transpose");
  app.add_option("--matrix-rows", flags.matrix_rows, "M of a transposed copy");
  app.add_option("--matrix-columns", flags.matrix_columns, "N of a transposed copy");
}

namespace {

Status check_pages(const StaticFlags& flags) {
  TAILOR_RETURN_IF_ERROR(check_range("--heads", flags.heads, 1));
  TAILOR_RETURN_IF_ERROR(check_range("--page-size", flags.page_size, 1));
  if (flags.heads * flags.head_dim > kMaxExtent) {
    return invalid_argument(fmt::format("--heads {} x --head-dim {}: the elements of a row must be below 2^31",
                                        flags.heads, flags.head_dim));
  }
  const __int128 page_bytes =
      static_cast<__int128>(flags.heads * flags.head_dim) * flags.page_size * element_bytes(flags.dtype);
  if (page_bytes * kPages < kApart) return {};
  return invalid_argument(
      fmt::format("--page-size {} x --heads {} x --head-dim {}: a page must have fewer than {} "
                  "bytes",
                  flags.page_size, flags.heads, flags.head_dim, kApart / kPages));
}

int variant_of(const StaticFlags& flags, const KeyDomain& domain) {
  if (domain.strided) return static_cast<int>(flags.mode);
  if (domain.computes == Computes::kConvert) return flags.scale ? 1 : 0;
  return domain.computes == Computes::kRotate ? static_cast<int>(flags.style) : 0;
}

}  // namespace

Expected<StaticConfiguration> static_configuration(const StaticFlags& flags) {
  TAILOR_ASSIGN_OR_RETURN(const OpId op, operation(flags));
  const KeyDomain domain = key_domain(op);
  TAILOR_RETURN_IF_ERROR(check_range("--head-dim", flags.head_dim, 1));
  if (domain.pages) TAILOR_RETURN_IF_ERROR(check_pages(flags));
  StaticConfiguration c;
  c.op = op;
  c.arch = flags.target.arch.value_or(kDefaultArch);
  c.emitter = flags.target.emitter;
  c.lowering = flags.target.lowering;
  c.element_bytes = element_bytes(flags.dtype);
  c.page_size = flags.page_size;
  c.heads = flags.heads;
  c.head_dim = flags.head_dim;
  c.source_type = flags.dtype;
  c.target_type = flags.other_dtype;
  c.index_bytes = element_bytes(flags.index);
  c.variant = variant_of(flags, domain);
  c.reports = flags.reports;
  if (domain.computes == Computes::kConvert && !(convertible(c.source_type) && convertible(c.target_type))) {
    return invalid_argument(
        fmt::format("--dtype is {} and --to is {}; each must be f32, f16, bf16, fp8_e4m3 or fp8_e5m2",
                    to_string(c.source_type), to_string(c.target_type)));
  }
  if (domain.computes == Computes::kRotate) {
    c.rotary_dim = flags.rotary_dim;
    if (c.rotary_dim == 0) {
      if (flags.head_dim % 2 != 0) {
        return invalid_argument(fmt::format(
            "--head-dim is {}; it must be even where append_rope rotates all of it (or name fewer with --rotary-dim)",
            flags.head_dim));
      }
      c.rotary_dim = flags.head_dim;
    }
    TAILOR_RETURN_IF_ERROR(check_range("--rotary-dim", c.rotary_dim, 2, flags.head_dim));
    if (c.rotary_dim % 2 != 0)
      return invalid_argument(fmt::format("--rotary-dim is {}; it must be even", c.rotary_dim));
    if (!rotatable(c.source_type)) {
      return invalid_argument(fmt::format("--dtype is {}; it must be f32, f16 or bf16", to_string(c.source_type)));
    }
    if (c.target_type != DType::kFloat32 && c.target_type != c.source_type) {
      return invalid_argument(fmt::format("--to is {}; it must be f32 or --dtype ({})", to_string(c.target_type),
                                          to_string(c.source_type)));
    }
  }
  if (domain.strided) {
    const bool matrix = flags.mode == CopyMode::kTransposed;
    TAILOR_RETURN_IF_ERROR(
        check_range("--outer-rank", flags.outer_rank, 0, matrix ? kMaxOuterRank - 1 : kMaxOuterRank));
    c.outer_rank = static_cast<int>(flags.outer_rank);
    if (flags.mode == CopyMode::kElements) TAILOR_RETURN_IF_ERROR(check_range("--head-dim", flags.head_dim, 2));
    if (matrix) {
      c.head_dim = 1;
    } else if (flags.head_dim * c.element_bytes > kExactRunBytes) {
      c.head_dim = 0;
    }
  }
  return c;
}

Expected<Key> static_key(const KeyFlags& flags) {
  if (flags.key) return printed_key(flags);
  TAILOR_ASSIGN_OR_RETURN(const StaticConfiguration configuration, static_configuration(flags.configuration));
  if (flags.misalign_bytes < 0 || flags.misalign_bytes > 4096) {
    return invalid_argument(fmt::format("--misalign is {}; it must be in [0, 4096] bytes", flags.misalign_bytes));
  }
  TAILOR_RETURN_IF_ERROR(check_range("--pad-row", flags.pad_row, 0));
  TAILOR_RETURN_IF_ERROR(check_range("--length-multiple", flags.length_multiple, 1));
  TAILOR_RETURN_IF_ERROR(check_range("--matrix-rows", flags.matrix_rows, 2));
  TAILOR_RETURN_IF_ERROR(check_range("--matrix-columns", flags.matrix_columns, 2));
  const auto problem_of = key_domain(configuration.op).pages ? paged_problem : flat_problem;
  TAILOR_ASSIGN_OR_RETURN(const Problem problem, problem_of(configuration.op, flags, configuration));
  Key key = make_key(problem, configuration.arch, configuration.emitter, configuration.lowering);
  if (flags.index64) key.set(KeyField::kIndex64, 1);
  TAILOR_RETURN_IF_ERROR(validate(key));
  return key;
}

}  // namespace tailor::cli
