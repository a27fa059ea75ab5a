// Registration with torch, made when the shared library is loaded (torch.ops.load_library, or linking it).
//
// Everything goes through the LibTorch stable ABI, so that one build serves later versions of torch.
#include <torch/csrc/stable/library.h>

#include "runtime/torch/operators.h"
#include "runtime/torch/settings.h"

namespace tailor::pytorch {
namespace {

STABLE_TORCH_LIBRARY(tailor, m) {
#define X(function, name, schema) m.def(name schema);
  TAILOR_TORCH_OPERATORS(X)
  TAILOR_TORCH_SETTINGS(X)
#undef X
}

#define X(function, name, schema) m.impl(name, TORCH_BOX(&function));
STABLE_TORCH_LIBRARY_IMPL(tailor, CPU, m){TAILOR_TORCH_OPERATORS(X)} STABLE_TORCH_LIBRARY_IMPL(tailor, CUDA, m){
    TAILOR_TORCH_OPERATORS(X)} STABLE_TORCH_LIBRARY_IMPL(tailor, CompositeExplicitAutograd, m) {
  TAILOR_TORCH_SETTINGS(X)
}
#undef X

}  // namespace
}  // namespace tailor::pytorch
