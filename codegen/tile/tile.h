// The tile program: an operation over views, before anything is decided about threads, vectors or guards.
//
// Example (print.cpp and parse.cpp: this form prints and parses back):
//
//   tile @tailor_paged_gather {
//     view @pages read element 2 base 16 [pool_pages: page_stride % 16, page_size = 16: slot_stride % 16,
//                                         heads = 8: source_head_stride = 256, head_dim = 128: source_dim_stride = 2]
//     view @block_table read element 4 base 4 [batch: 4*table_stride, max_pages: 4]
//     view @cu_seqlens read element 4 base 4 [batch + 1: 4]
//     view @packed write element 2 base 16 [rows: row_stride % 16, heads = 8: 256, head_dim = 128: 2]
//     status @status_word
//     rows %row in rows {
//       %s, %begin, %end, %m0 = search @cu_seqlens for %row
//       check 0 <= %begin <= %row < %end else skip
//       %t = sub %row, %begin
//       %column, %slot = resolve %t by 16
//       check %column < max_pages else BlockTableColumn at %row
//       %page, %m1 = load @block_table[%s, %column]
//       check 0 <= %page < pool_pages else PageIndexRange at %row
//       %m2 = copy @packed[%row] <- @pages[%page, %slot]
//     }
//   }
//
// Semantics. Scalars are 32-bit signed integers; symbols are host values, 0 <= symbol <= 2^31 - 1 for extents. A view
// maps indices to base + Σ index·stride bytes.
//
//   rows      runs its body for every index of its extent, in any order; every loop deals its own rows to all blocks
//   each      the same, but only when the named status word is there, and for its checks only
//   check     ends the current iteration when a comparison of its chain fails and, with a fault, reports it at the
//   index
//             given
//   search    yields some s with 0 <= s < extent - 1 and the two neighbours view[s], view[s + 1]; for a non-decreasing
//             view that brackets the row it is the bracketing s; otherwise nothing is known of it (the neighbours are
//             havoced: check them); an iteration that has no s at all ends
//   load      one entry of an int32 view, or of an int64 view: the entry if it lies in [0, 2^31), otherwise -1
//   resolve   `resolve t by n` yields t / n and t mod n. When n is a symbol, its reciprocal comes from the host and
//             nothing is known of the results (nor is there a quotient by 0): check them
//   sum       `sum a, b below n` is a + b, and a check: the iteration goes on only where a + b < n
//   when      runs its first body where the chain holds, its second otherwise; the last node of the body it stands in
//   copy      moves the trailing two dimensions [H, D] of one view to another
//   fill      writes the bits of one element, a host value (repeated to 64 bits), all over the trailing [H, D]
//   convert   `convert @a[…] <- @b[…] by @scale` is a copy that computes a = cast(f32(b) * scale) of every element, in
//             the types of the two views; without a scale nothing is multiplied. f16 and bf16 round to nearest even and
//             overflow to infinity, fp8 saturates to its largest finite value, NaN stays NaN
//   rotate    `rotate @a[…] <- @b[…] by @cos[%p], @sin[%p] halves` is a copy that turns the first R = 2 * (row of cos)
//             elements of every head in pairs: x1 * cos[i] - x2 * sin[i], x2 * cos[i] + x1 * sin[i], in f32, every
//             product rounded and then the sum. Pairs are (i, i + R/2), or (2i, 2i + 1) if `interleaved`
//   transpose `transpose @a[begin, end] <- @b[row] by g`: element d of the row, 0 <= d < D, goes to the place
//             begin * D + d * (end - begin) + (row - begin) of the dense view a [rows, 1, D]; begin and end are shown
//             to be multiples of g, a power of two, by `resolve` and `check` of the remainders
//
// Order. Memory operations are unordered unless tokens order them, as in CUDA Tile IR: each takes an optional token
// (`after %t`) and yields one; `token` makes a token that waits for nothing, `join` one that waits for all of its
// operands. Data and control dependence order nothing.
//
// Ownership: a Program owns its nodes; nodes do not change once built. Thread-safety: const access from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tailor/ops.h"
#include "tailor/status.h"

namespace tailor::codegen::tile {

// name, text, results (scalars, then a token if it is a memory operation), is a memory operation, meaning
#define TAILOR_TILE_OPS(X)                                                                            \
  X(kToken, "token", 1, false, "a token that waits for nothing")                                      \
  X(kJoin, "join", 1, false, "a token that waits for all operands, two or more")                      \
  X(kLoad, "load", 2, true, "one entry of an int32 or int64 view")                                    \
  X(kSearch, "search", 4, true, "the segment of a row in a view of offsets: s, view[s], view[s + 1]") \
  X(kAdd, "add", 1, false, "scalar plus a constant; must not overflow")                               \
  X(kSub, "sub", 1, false, "a - b with 0 <= b <= a shown")                                            \
  X(kSum, "sum", 1, false, "a + b, where it lies below an extent; otherwise the iteration ends")      \
  X(kResolve, "resolve", 2, false, "quotient and remainder of a non-negative scalar by a host value") \
  X(kCheck, "check", 0, false, "ends the iteration unless the chain of comparisons holds")            \
  X(kWhen, "when", 0, false, "one of two bodies, by a chain of comparisons")                          \
  X(kCopy, "copy", 1, true, "moves a row [H, D] between two views")                                   \
  X(kFill, "fill", 1, true, "writes one element all over a row [H, D]")                               \
  X(kConvert, "convert", 1, true, "moves a row [H, D], casting and scaling its elements")             \
  X(kRotate, "rotate", 1, true, "moves a row [H, D], turning pairs of its elements")                  \
  X(kTranspose, "transpose", 1, true, "moves a row of a segment into a column of its transpose")      \
  X(kEach, "each", 0, false, "loop over promises: runs only when a status word was supplied")         \
  X(kRows, "rows", 0, false, "loop over the rows to move")

enum class Op : uint8_t {
#define X(name, text, results, memory, meaning) name,
  TAILOR_TILE_OPS(X)
#undef X
};
std::string_view to_string(Op op);
int result_count(Op op);
bool is_memory(Op op);
bool is_loop(Op op);   // each, rows
bool is_mover(Op op);  // moves rows by itself: copy, fill, convert, rotate

// name, text
#define TAILOR_TILE_RELATIONS(X) X(kLess, "<") X(kLessEqual, "<=") X(kEqual, "==")
enum class Relation : uint8_t {
#define X(name, text) name,
  TAILOR_TILE_RELATIONS(X)
#undef X
};
std::string_view to_string(Relation relation);

// name, text
#define TAILOR_TILE_ROLES(X) X(kRead, "read") X(kWrite, "write")
enum class Role : uint8_t {
#define X(name, text) name,
  TAILOR_TILE_ROLES(X)
#undef X
};
std::string_view to_string(Role role);

// A host integer: `exact` if known (the symbol then says where it comes from), otherwise symbol + offset.
struct Extent {
  std::string symbol;  // empty: a plain constant
  int64_t offset = 0;  // with a symbol and no exact value
  std::optional<int64_t> exact;

  static Extent constant(int64_t value) { return {{}, 0, value}; }
  static Extent of(std::string symbol, int64_t offset = 0) { return {std::move(symbol), offset, std::nullopt}; }
  static Extent known(std::string symbol, int64_t value) { return {std::move(symbol), 0, value}; }
  friend bool operator==(const Extent&, const Extent&) = default;
};
std::string to_string(const Extent& extent);

// Bytes between neighbours of a dimension: `exact`, or factor * symbol, of which a divisor (bytes) is known.
struct Stride {
  std::string symbol;
  int64_t factor = 1;
  int64_t divisor = 1;
  std::optional<int64_t> exact;

  static Stride constant(int64_t bytes) { return {{}, 1, 1, bytes}; }
  static Stride of(std::string symbol, int64_t divisor, int64_t factor = 1) {
    return {std::move(symbol), factor, divisor, std::nullopt};
  }
  static Stride known(std::string symbol, int64_t bytes) { return {std::move(symbol), 1, 1, bytes}; }
  friend bool operator==(const Stride&, const Stride&) = default;
};
std::string to_string(const Stride& stride);

struct Dimension {
  Extent extent;
  Stride stride;
  friend bool operator==(const Dimension&, const Dimension&) = default;
};

struct View {
  std::string name;  // the operand, and the symbol of its address
  Role role = Role::kRead;
  int element_bytes = 4;
  int64_t base_align = 4;  // bytes, a power of two that divides the address
  std::vector<Dimension> dims;
  std::optional<DType> type = std::nullopt;  // of elements that are computed with
  friend bool operator==(const View&, const View&) = default;
};

using ValueId = uint32_t;
using ViewId = uint32_t;
inline constexpr uint32_t kNone = ~uint32_t{0};

enum class Type : uint8_t { kScalar, kToken };

// A side of a comparison: a value, or a host integer.
struct Term {
  ValueId value = kNone;
  Extent extent = Extent::constant(0);  // when there is no value
  friend bool operator==(const Term&, const Term&) = default;
};

struct Node {
  Op op = Op::kToken;
  std::vector<ValueId> results;
  std::vector<ValueId> operands;  // join: tokens; search: row; add, resolve: a; sub, sum: a, b
  int64_t immediate = 0;          // add; transpose: g
  ViewId view = kNone;            // load, search: what is read; copy, fill, transpose: what is written
  std::vector<ValueId> indices;   // of `view`
  ViewId source = kNone;          // copy, convert, rotate, transpose: what is read
  std::vector<ValueId> source_indices;
  std::vector<ViewId> tables;              // convert: the scale, or none; rotate: cos, sin
  std::vector<ValueId> table_indices;      // of every table
  ValueId after = kNone;                   // token, memory operations only
  std::vector<Term> chain;                 // check, when: terms[0] rel[0] terms[1] rel[1] …
  std::vector<Relation> relations;         // one fewer than terms
  DeviceFault fault = DeviceFault::kNone;  // check, sum: kNone skips silently
  ValueId fault_index = kNone;             // with a fault
  RopeStyle style = RopeStyle::kHalves;    // rotate
  Extent extent;                           // each, rows: the domain; resolve: n; sum: the bound; fill: the bits
  std::vector<Node> body;                  // each, rows: results[0] is the induction variable; when: the chain holds
  std::vector<Node> otherwise;             // when: it does not
  friend bool operator==(const Node&, const Node&) = default;
};

class Program {
 public:
  const std::string& entry() const { return entry_; }
  const std::vector<View>& views() const { return views_; }
  const std::string& status() const { return status_; }  // symbol of the status word; empty: none
  const std::vector<Node>& body() const { return body_; }
  const std::string& name_of(ValueId v) const { return values_[v].name; }
  Type type_of(ValueId v) const { return values_[v].type; }
  size_t value_count() const { return values_.size(); }
  ViewId find_view(std::string_view name) const;  // kNone if there is none
  friend bool operator==(const Program&, const Program&) = default;

 private:
  friend class Builder;
  struct Value {
    std::string name;
    Type type = Type::kScalar;
    friend bool operator==(const Value&, const Value&) = default;
  };
  std::string entry_, status_;
  std::vector<View> views_;
  std::vector<Value> values_;
  std::vector<Node> body_;
};

// "PageIndexRange" <-> DeviceFault::kPageIndexRange.
std::string_view fault_name(DeviceFault fault);
std::optional<DeviceFault> parse_fault(std::string_view name);

// The specification of a well-formed tile program. Types and arities; names unique; every value defined before use and
// seen only inside its loop; and, with every loaded value taken for arbitrary:
//  - each index of each access lies in [0, extent) of its dimension, shown from the checks passed before it;
//  - `sub`, `add`, `sum` and `resolve` cannot overflow or see a negative operand;
//  - reads are of read views and writes of write views; `each` writes nothing; two accesses of one iteration to the
//  same
//    view, at least one a write, are ordered by tokens;
//  - both sides of a copy have the same trailing [H, D], exact, and the same element.
// Errors: kInvalidArgument naming node and rule.
Status verify(const Program& program);

std::string print(const Program& program);
std::string print_node(const Program& program, const Node& node);  // one line, without its body

// Reads what `print` writes. Errors: kInvalidArgument with "line:column: expected …". Verifies nothing but syntax,
// names and types of names.
Expected<Program> parse(std::string_view text);

// Builds a program in order. Names are made unique by a numeric suffix; nothing else is checked (see verify). Without a
// status word, which comes before what reports to it, faults and `each` are left out.
class Builder {
 public:
  explicit Builder(std::string entry) { program_.entry_ = std::move(entry); }

  ViewId view(View view);
  void status(std::string symbol) { program_.status_ = std::move(symbol); }
  ValueId value(std::string name, Type type);

  ValueId token(std::string name = "order");
  ValueId join(std::vector<ValueId> tokens);
  struct Loaded {
    ValueId value, token;
  };
  Loaded load(std::string name, ViewId view, std::vector<ValueId> indices, ValueId after = kNone);
  struct Segment {
    ValueId index, begin, end, token;
  };
  Segment search(ViewId offsets, ValueId row, ValueId after = kNone);
  ValueId add(std::string name, ValueId a, int64_t constant);
  ValueId sub(std::string name, ValueId a, ValueId b);
  struct Place {
    ValueId column, slot;
  };
  Place resolve(ValueId position, Extent page_size) {
    return resolve("column", "slot", position, std::move(page_size));
  }
  Place resolve(std::string quotient, std::string remainder, ValueId position, Extent divisor);
  ValueId sum(std::string name, ValueId a, ValueId b, Extent below, DeviceFault fault = DeviceFault::kNone,
              ValueId fault_index = kNone);
  void check(std::vector<Term> chain, std::vector<Relation> relations, DeviceFault fault = DeviceFault::kNone,
             ValueId fault_index = kNone);
  ValueId copy(ViewId target, std::vector<ValueId> target_indices, ViewId source, std::vector<ValueId> source_indices,
               ValueId after = kNone);
  ValueId transpose(ViewId target, ValueId begin, ValueId end, ViewId source, ValueId row, int64_t group,
                    ValueId after = kNone);
  ValueId convert(ViewId target, std::vector<ValueId> target_indices, ViewId source,
                  std::vector<ValueId> source_indices, std::vector<ViewId> scale, ValueId after = kNone);
  ValueId rotate(ViewId target, std::vector<ValueId> target_indices, ViewId source, std::vector<ValueId> source_indices,
                 std::vector<ViewId> cos_sin, ValueId position, RopeStyle style, ValueId after = kNone);
  ValueId fill(ViewId target, std::vector<ValueId> target_indices, std::string bits, ValueId after = kNone);
  void when(std::vector<Term> chain, std::vector<Relation> relations, const std::function<void()>& body,
            const std::function<void()>& otherwise);
  void each(std::string name, Extent extent, const std::function<void(ValueId)>& body);
  void rows(std::string name, Extent extent, const std::function<void(ValueId)>& body);

  // For the parser: a node with its results defined already.
  void append(Node node);
  std::vector<Node> nested(const std::function<void()>& body);  // what `body` appends

  Program finish() { return std::move(program_); }

 private:
  void report(Node& node, DeviceFault fault, ValueId fault_index) const;
  void loop(Op op, std::string name, Extent extent, const std::function<void(ValueId)>& body);
  Program program_;
  std::vector<std::vector<Node>*> open_;
};

inline Term term(ValueId value) { return {value, Extent::constant(0)}; }
inline Term term(Extent extent) { return {kNone, std::move(extent)}; }
inline Term constant(int64_t value) { return {kNone, Extent::constant(value)}; }
inline Term symbol(std::string name) { return {kNone, Extent::of(std::move(name))}; }

// Every node of a body and of the bodies within, in program order.
template <class F>
void for_each_node(const std::vector<Node>& nodes, const F& f) {
  for (const Node& node : nodes) {
    f(node);
    for_each_node(node.body, f);
    for_each_node(node.otherwise, f);
  }
}

}  // namespace tailor::codegen::tile
