// The text form of the lowered program, printed and parsed back: parse(print(p)) == p for every program that verifies,
// and print(parse(print(p))) is print(p).
//
// Grammar (white space and // comments separate tokens; the example in ir.h is in this form):
//
//   program     = "kernel" @entry "(" [param {"," param}] ")" "block" integer ["shared" integer]
//                 "{" {access} {instruction} "}"
//   param       = %name ":" type ["readonly"]
//   access      = "access" integer string string                      id, operand, what; ids count from 1
//   instruction = %r "=" "const" type integer
//               | %r "=" "special" special
//               | %r "=" "shared" | "barrier"
//               | %r "=" op %a {"," %b}                               arithmetic, cmp.<relation>, select, ptradd …
//               | %r "=" "bitcast" type %a
//               | results "=" "unpack" type %a | %r "=" "pack" %a {"," %b}
//               | results "=" "decode." format %a | %r "=" "encode." format %a ["," %b]
//               | %r "=" "load" type %p ["if" %guard] "align" integer "access" integer ["readonly"]
//               | "store" type %p "," %v ["if" %guard] "align" integer "access" integer
//               | "atomic.max.u64" %p "," %v "align" integer "access" integer
//               | [results "="] "for" %iv "=" %lo "to" %hi "step" %step ["carry" inits] block
//               | [results "="] "while" [inits] block "do" [names] block
//               | [results "="] "if" %p block ["else" block]
//               | "yield" [names] | "condition" %p {"," %v}
//   inits       = %argument "=" %initial {"," …}          results, names = %v {"," %v}
//   block       = "{" {instruction} "}"
//
// Integers are decimal, or hexadecimal after 0x (as constants of f32 are printed). Types of results are written only
// where they do not follow from the operands.
//
// Thread-safety: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "codegen/kernel/ir.h"
#include "tailor/status.h"

namespace tailor::codegen::kernel {

// Never fails: a program that does not verify prints its bad ids as %?<id>.
std::string print(const Program& program);

// One instruction on one line, without its regions: what diagnostics quote.
std::string print_instruction(const Program& program, const Instruction& instruction);

// Reads the grammar above and resolves names; call `verify` on the result. Errors: kInvalidArgument,
// "<line>:<column>: what was expected"; a name used before it is defined or defined twice; nesting deeper than 64.
Expected<Program> parse(std::string_view text);

}  // namespace tailor::codegen::kernel
