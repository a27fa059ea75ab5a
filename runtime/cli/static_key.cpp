#include "runtime/cli/static_key.h"

#include <fmt/format.h>

#include "runtime/cli/range.h"
#include "runtime/ops/problem.h"

namespace tailor::cli {
namespace {

// Addresses far enough apart for any operand that validation accepts with these extents.
constexpr uint64_t kBase = uint64_t{1} << 20;
constexpr uint64_t kApart = uint64_t{1} << 56;
constexpr int64_t kRows = 8, kPages = 8, kBatch = 2;

Expected<OpId> operation(const StaticFlags& flags) {
  if (const auto op = parse_op(flags.op)) return *op;
  std::string known;
#define X(name, text, entry) known += (known.empty() ? "" : ", ") + std::string(text);
  TAILOR_OPS(X)
#undef X
  return invalid_argument(fmt::format("the operation is '{}'; it must be one of {}", flags.op, known));
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
  Tensor indices(std::initializer_list<int64_t> shape) { return Tensor::dense(place(0), DType::kInt32, shape); }
};

Expected<Problem> problem_of(OpId op, const KeyFlags& flags) {
  Operands make{flags};
  if (op == OpId::kPagedGather) {
    PagedGather gather;
    gather.pages = make.pool();
    gather.layout = flags.layout;
    gather.block_table = make.indices({kBatch, 4});
    gather.seq_lens = make.indices({kBatch});
    gather.cu_seqlens = make.indices({kBatch + 1});
    gather.packed = make.rows();
    return make_problem(gather);
  }
  PagedAppend append;
  append.k = make.rows();
  append.v = make.rows();
  append.batch_index = make.indices({kRows});
  append.position = make.indices({kRows});
  append.k_pages = make.pool();
  append.v_pages = make.pool();
  append.layout = flags.layout;
  append.block_table = make.indices({kBatch, 4});
  return make_problem(append);
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
  app.add_option("op", flags.op, "paged_gather or paged_append");
  app.add_option("--heads", flags.heads, "H");
  app.add_option("--head-dim", flags.head_dim, "D");
  app.add_option("--page-size", flags.page_size, "tokens per page");
  add_dtype_flag(app, flags.dtype);
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
}

Expected<StaticConfiguration> static_configuration(const StaticFlags& flags) {
  TAILOR_ASSIGN_OR_RETURN(const OpId op, operation(flags));
  TAILOR_RETURN_IF_ERROR(check_range("--heads", flags.heads, 1));
  TAILOR_RETURN_IF_ERROR(check_range("--head-dim", flags.head_dim, 1));
  TAILOR_RETURN_IF_ERROR(check_range("--page-size", flags.page_size, 1));
  if (flags.heads * flags.head_dim > kMaxExtent) {
    return invalid_argument(fmt::format("--heads {} x --head-dim {}: the elements of a row must be below 2^31",
                                        flags.heads, flags.head_dim));
  }
  const __int128 page_bytes =
      static_cast<__int128>(flags.heads * flags.head_dim) * flags.page_size * element_bytes(flags.dtype);
  if (page_bytes * kPages >= kApart) {
    return invalid_argument(
        fmt::format("--page-size {} x --heads {} x --head-dim {}: a page must have fewer than {} "
                    "bytes",
                    flags.page_size, flags.heads, flags.head_dim, kApart / kPages));
  }
  return StaticConfiguration{op,
                             flags.target.arch.value_or(kDefaultArch),
                             flags.target.emitter,
                             flags.target.lowering,
                             element_bytes(flags.dtype),
                             flags.page_size,
                             flags.heads,
                             flags.head_dim};
}

Expected<Key> static_key(const KeyFlags& flags) {
  if (flags.key) return printed_key(flags);
  TAILOR_ASSIGN_OR_RETURN(const StaticConfiguration configuration, static_configuration(flags.configuration));
  if (flags.misalign_bytes < 0 || flags.misalign_bytes > 4096) {
    return invalid_argument(fmt::format("--misalign is {}; it must be in [0, 4096] bytes", flags.misalign_bytes));
  }
  TAILOR_RETURN_IF_ERROR(check_range("--pad-row", flags.pad_row, 0));
  TAILOR_ASSIGN_OR_RETURN(const Problem problem, problem_of(configuration.op, flags));
  Key key = make_key(problem, configuration.arch, configuration.emitter, configuration.lowering);
  if (flags.index64) key.set(KeyField::kIndex64, 1);
  TAILOR_RETURN_IF_ERROR(validate(key));
  return key;
}

}  // namespace tailor::cli
