// Our declarations against NVIDIA's own: every number, size, offset and signature. Compiled only where <cuda.h> exists.
// cuda.h's macros rename functions (cuMemAlloc becomes cuMemAlloc_v2), hence the table's types are listed before it.
// clang-format off
#include "runtime/driver/driver.h"

#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

namespace {
using OurFunctions = std::tuple<
#define X(member, symbol, parameters) decltype(tailor::DriverTable::member),
    TAILOR_DRIVER_FUNCTIONS(X)
#undef X
        void>;
}  // namespace

#include <cuda.h>
// clang-format on

namespace {

namespace ours = tailor::cu;

#define X(name, value, text) static_assert(static_cast<int>(ours::CUDA_##name) == static_cast<int>(::CUDA_##name));
TAILOR_CU_RESULTS(X)
#undef X

#define SAME(name) static_assert(static_cast<int>(ours::name) == static_cast<int>(::name));
#define X(name, value) SAME(CU_DEVICE_ATTRIBUTE_##name)
TAILOR_CU_DEVICE_ATTRIBUTES(X)
#undef X
#define X(name, value) SAME(CU_FUNC_ATTRIBUTE_##name)
TAILOR_CU_FUNCTION_ATTRIBUTES(X)
#undef X
#define X(name, value) SAME(CU_LAUNCH_ATTRIBUTE_##name)
TAILOR_CU_LAUNCH_ATTRIBUTES(X)
#undef X
#define X(name, value) SAME(CU_JIT_##name)
TAILOR_CU_JIT_OPTIONS(X)
#undef X
#define X(name, value) SAME(CU_POINTER_ATTRIBUTE_##name)
TAILOR_CU_POINTER_ATTRIBUTES(X)
#undef X
#define X(name, value) SAME(name)
TAILOR_CU_LIBRARY_OPTIONS(X)
TAILOR_CU_CAPTURE_STATUSES(X)
TAILOR_CU_CAPTURE_MODES(X)
TAILOR_CU_MEMORY_TYPES(X)
TAILOR_CU_STREAM_FLAGS(X)
TAILOR_CU_EVENT_FLAGS(X)
#undef X

static_assert(ours::kHostRegisterReadOnly == CU_MEMHOSTREGISTER_READ_ONLY);

#define SAME_OFFSET(type, member) static_assert(offsetof(ours::type, member) == offsetof(::type, member));
static_assert(sizeof(ours::CUlaunchConfig) == sizeof(::CUlaunchConfig));
static_assert(alignof(ours::CUlaunchConfig) == alignof(::CUlaunchConfig));
SAME_OFFSET(CUlaunchConfig, gridDimX)
SAME_OFFSET(CUlaunchConfig, gridDimY)
SAME_OFFSET(CUlaunchConfig, gridDimZ)
SAME_OFFSET(CUlaunchConfig, blockDimX)
SAME_OFFSET(CUlaunchConfig, blockDimY)
SAME_OFFSET(CUlaunchConfig, blockDimZ)
SAME_OFFSET(CUlaunchConfig, sharedMemBytes)
SAME_OFFSET(CUlaunchConfig, hStream)
SAME_OFFSET(CUlaunchConfig, attrs)
SAME_OFFSET(CUlaunchConfig, numAttrs)
static_assert(sizeof(ours::CUlaunchAttribute) == sizeof(::CUlaunchAttribute));
static_assert(alignof(ours::CUlaunchAttribute) == alignof(::CUlaunchAttribute));
SAME_OFFSET(CUlaunchAttribute, id)
SAME_OFFSET(CUlaunchAttribute, value)
static_assert(sizeof(ours::CUlaunchAttributeValue) == sizeof(::CUlaunchAttributeValue));
SAME_OFFSET(CUlaunchAttributeValue, cooperative)
SAME_OFFSET(CUlaunchAttributeValue, clusterDim)
SAME_OFFSET(CUlaunchAttributeValue, programmaticStreamSerializationAllowed)
SAME_OFFSET(CUlaunchAttributeValue, priority)
SAME_OFFSET(CUlaunchAttributeValue, sharedMemCarveout)
static_assert(std::is_same_v<ours::CUdevice, ::CUdevice>);
static_assert(std::is_same_v<ours::CUdeviceptr, ::CUdeviceptr>);
static_assert(sizeof(ours::CUresult) == sizeof(::CUresult));

// Two parameters agree in the ABI when they are of one size and class (enumerations pass as int, handles as pointers).
template <class A, class B>
constexpr bool abi_equal_v =
    sizeof(A) == sizeof(B) && std::is_pointer_v<A> == std::is_pointer_v<B>&& std::is_floating_point_v<A> ==
                                  std::is_floating_point_v<B>;

template <class A, class B>
struct SameParameters : std::false_type {};
template <class... A, class... B>
requires(sizeof...(A) == sizeof...(B)) struct SameParameters<std::tuple<A...>, std::tuple<B...>>
    : std::bool_constant<(abi_equal_v<A, B> && ...)> {
};

template <class F>
struct Parameters;
template <class R, class... A>
struct Parameters<R (*)(A...)> {
  using type = std::tuple<A...>;
};

// The exported symbols as cuda.h declares them, in the order of the table.
using TheirFunctions = std::tuple<
#define X(member, symbol, parameters) decltype(&::symbol),
    TAILOR_DRIVER_FUNCTIONS(X)
#undef X
        void>;

template <size_t... I>
constexpr bool all_signatures_agree(std::index_sequence<I...>) {
  return (SameParameters<typename Parameters<std::tuple_element_t<I, OurFunctions>>::type,
                         typename Parameters<std::tuple_element_t<I, TheirFunctions>>::type>::value &&
          ...);
}
static_assert(all_signatures_agree(std::make_index_sequence<std::tuple_size_v<OurFunctions> - 1>()));

TEST(CudaAbi, MatchesTheInstalledHeader) { SUCCEED() << "everything is compared at compile time"; }

}  // namespace
