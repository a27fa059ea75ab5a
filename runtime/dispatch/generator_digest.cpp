#include "runtime/dispatch/generator_digest.h"

#include "tailor_generator_digest_value.h"

namespace tailor {

std::string_view generator_digest() { return TAILOR_GENERATOR_DIGEST; }

}  // namespace tailor
