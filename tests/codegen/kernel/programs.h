// Lowered programs that together hold every op, type and variant of codegen/kernel/ir.h; what the tests of the text
// form, the verifier, both emitters and the compilers run over.
#pragma once

#include <string>
#include <vector>

#include "codegen/kernel/ir.h"

namespace tailor::codegen::kernel::testing {

struct NamedProgram {
  std::string name;
  Program program;
};

// What a thread owns of every buffer of the program of that name.
inline constexpr int kArithmeticBytes = 512;
inline constexpr int kMemoryBytes = 2048;
inline constexpr int kControlBytes = 64;

// (out: ptr, a, b: type, c: i32), any grid: stores the results of every arithmetic op on a + thread, b and constants,
// 8 bytes each.
Program arithmetic(Type type);
// (out: ptr, in: ptr), one block: copies values of every memory type, plain and guarded: true, false and by parity.
Program memory(bool read_only);
// (out: ptr, n: i32), one block: for, while and if in every shape, nested, with permuted carried values.
Program control();
// (dst, src, table, cu, status: ptr, rows, batch, max_pages, pages: i32, stride: i64): a paged gather with a binary
// search, a body loop, a guarded vector and a straight-line tail: the size of a real movement kernel.
Program gather();
// The example at the top of ir.h.
Program example();

std::vector<NamedProgram> all_programs();

}  // namespace tailor::codegen::kernel::testing
