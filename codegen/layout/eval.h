// Questions to the layout engine as lines of JSON: what `tailor layout eval --json` answers.
//
//     {"op":"composition","a":"(6,2):(8,2)","b":"(4,3):(3,1)"}
//     {"ok":true,"layout":"((2,2),3):((24,2),8)","size":12,"cosize":43,"values":[0,24,2,26,8,32,10,34,16,40,18,42]}
//     {"op":"left_inverse","a":"(2,2):(1,1)"}
//     {"ok":false,"reason":"left inverse of (2,2):(1,1): none exists, indices 1 and 2 both have the value 1",
//      "fault":"operation"}
//
// "a" is a layout in CuTe's notation, with an xor factor or an offset in front where the operation allows it; "b" is
// what the table below says. "values" are in colexicographic order and left out above 4096 of them; "cosize" is 1 + the
// largest value reached. max_common_vector of n answers the layout n:1, and "vector":n. Linear layouts are written
// "{lane: (1) (2); warp: (4) (8)} -> {dim0: 16}" as linear_layout.h says, or as
// {"in":{"lane":[[1],[2]],"warp":[[4],[8]]},"out":{"dim0":16}}; their answers carry "linear", the text form, too.
//
// Every line is answered: blank, malformed, unknown and huge ones with "ok":false and "fault":"question", as are
// members that the operation does not take and members given twice; "fault":"operation" where the question is
// understood and has no answer. Work is bounded (lines of 1 MiB, 64 brackets deep, with 4096 colons, layouts of 64
// modes, enumerations of 2^20), so that an answer is a matter of milliseconds.
//
// Ownership: values. Threads: pure functions. Errors: in the answer.
#pragma once

#include <string>
#include <string_view>

namespace tailor::codegen::layout {

// operation, what "b" is (further members in parentheses)
#define TAILOR_LAYOUT_OPERATIONS(X)                                                             \
  X(evaluate, "nothing, or a coordinate: then \"value\" is the value there")                    \
  X(coalesce, "nothing")                                                                        \
  X(composition, "a layout; a ∘ b")                                                             \
  X(complement, "the cosize bound")                                                             \
  X(right_inverse, "nothing")                                                                   \
  X(left_inverse, "nothing")                                                                    \
  X(logical_divide, "a tiler, \"4:1\" or \"<2:1,3:1>\"")                                        \
  X(zipped_divide, "a tiler")                                                                   \
  X(tiled_divide, "a tiler")                                                                    \
  X(flat_divide, "a tiler")                                                                     \
  X(logical_product, "a tiler")                                                                 \
  X(zipped_product, "a tiler")                                                                  \
  X(tiled_product, "a tiler")                                                                   \
  X(flat_product, "a tiler")                                                                    \
  X(blocked_product, "a layout")                                                                \
  X(raked_product, "a layout")                                                                  \
  X(tile_to_shape, "a shape (\"order\": ranks, the smallest runs fastest)")                     \
  X(max_common_vector, "a layout")                                                              \
  X(slice, "a coordinate with free entries, \"(2,_)\"")                                         \
  X(dice, "a coordinate with free entries")                                                     \
  X(domain_offset, "a coordinate")                                                              \
  X(flip, "the number of a mode")                                                               \
  X(reshape, "a shape")                                                                         \
  X(upcast, "the ratio")                                                                        \
  X(downcast, "the ratio")                                                                      \
  X(recast, "nothing (\"from\", \"to\": bits of an element)")                                   \
  X(filter, "nothing")                                                                          \
  X(nullspace, "nothing")                                                                       \
  X(decay, "nothing")                                                                           \
  X(from_linear, "nothing; \"a\" is a linear layout")                                           \
  X(to_linear, "nothing, or named sizes for the index, first fastest: \"{lane: 32, warp: 4}\"") \
  X(linear_invert, "nothing; \"a\" is a linear layout")                                         \
  X(linear_compose, "a linear layout, as \"a\" is; first a, then b")                            \
  X(linear_product, "a linear layout; its bits above those of a")                               \
  X(linear_divide_left, "a linear layout; the c with a = b × c")                                \
  X(linear_divide_right, "a linear layout; the c with a = c × b")                               \
  X(linear_invert_and_compose, "a linear layout; the c with a = b ∘ c")

// The answer to one line, without the end of line.
std::string evaluate_line(std::string_view json_line);

}  // namespace tailor::codegen::layout
