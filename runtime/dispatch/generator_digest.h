// The digest of the code generator that this build of libtailor belongs to: 32 hex digits over the sources of codegen/
// and templates/ and the LLVM version (cmake/write_generator_digest.cmake). It is part of every action key, and it is here and not
// only in libtailor_codegen so that a warm cache serves without that library. KernelGenerator::digest() of the same
// build returns it. Thread-safety: constant.
#pragma once

#include <string_view>

namespace tailor {

std::string_view generator_digest();

}  // namespace tailor
