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

// (out: ptr, a, b: type, c: i32): stores the results of every arithmetic op on a, b and constants to out, 8 bytes each.
Program arithmetic(Type type);
// (out: ptr, in: ptr): copies one value of every memory type: plain, read-only, guarded true and false, both
// directions.
Program memory(bool read_only);
// (out: ptr, n: i32): for, while and if in every shape, nested, with permuted carried values.
Program control();
// (dst, src, table, cu, status: ptr, rows, batch, max_pages, pages: i32, stride: i64): a paged gather with a binary
// search, a body loop, a guarded vector and a straight-line tail: the size of a real movement kernel.
Program gather();
// The example at the top of ir.h.
Program example();

std::vector<NamedProgram> all_programs();

}  // namespace tailor::codegen::kernel::testing
