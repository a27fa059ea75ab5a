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
inline constexpr int kSharedBytes = 256;
inline constexpr int kFloatsBytes = 512;

// (out: ptr, a, b: type, c: i32), any grid: stores the results of every arithmetic op on a + thread, b and constants,
// 8 bytes each.
Program arithmetic(Type type);
// (out: ptr, in: ptr), one block: copies values of every memory type, plain and guarded: true, false and by parity.
Program memory(bool read_only);
// (out: ptr, n: i32), one block: for, while and if in every shape, nested, with permuted carried values.
Program control();
// (out, in: ptr, flag: ptr readonly, n: i32), one block: for n rounds, every storable type goes through shared memory
// from thread t to thread 63 - t, plain and guarded; barriers under a uniform loop and a uniform branch. *flag is an
// i32.
Program shared();
// (out, in: ptr, x: i32), any grid: float arithmetic on three f32 of the thread's input and on x, every conversion, one
// value and two, and every way of unpacking and packing. Thread t owns kFloatsBytes of out and 64 bytes of in.
Program floats();
// (dst, src, table, cu, status: ptr, rows, batch, max_pages, pages: i32, stride: i64): a paged gather with a binary
// search, a body loop, a guarded vector and a straight-line tail: the size of a real movement kernel.
Program gather();
// The example at the top of ir.h.
Program example();

std::vector<NamedProgram> all_programs();

}  // namespace tailor::codegen::kernel::testing
