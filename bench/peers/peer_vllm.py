"""vLLM's CUDA kernels (source distribution, csrc/cache_kernels.cu), launched as its own host code does.

The file needs PyTorch for its host half, so the kernels are cut out of it by name when the bench runs and compiled with
the package's own vectorization headers. What the kernels name and these copies do not use is declared here.
"""
import re

from peer_common import Refused, entry_of, i32, i64, pointer

FLASH, PAGES, DEQUANT = "vLLM reshape_and_cache_flash", "vLLM cp_gather_cache", "vLLM gather_and_maybe_dequant_cache"
KERNEL_TYPES = {"f32": "float", "f16": "uint16_t", "bf16": "__nv_bfloat16"}  # DISPATCH_BY_KV_CACHE_DTYPE, "auto"
SWEEP = (64, 128, 256, 512)

PREAMBLE = """#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <cuda_bf16.h>
#include "quantization/vectorization_utils.cuh"
namespace vllm {
enum class Fp8KVCacheDataType { kAuto };
namespace fp8 { template <class Out, class In, Fp8KVCacheDataType> __device__ Out scaled_convert(const In&, float); }
template <class T> __host__ __device__ constexpr T div_ceil(T a, T b) { return (a + b - 1) / b; }
"""
# vectorization.cuh names two of PyTorch's types in an assertion that nothing here reaches.
TYPE_HEADER = "#pragma once\n#include <type_traits>\nnamespace c10 {{ struct {0} {{}}; }}\n"


def cut(text, name):
    """The definition of `name` with its template header, to the closing brace."""
    at = re.search(rf"\b{name}\b\s*[({{]", text).start()
    begin = max(text.rfind("\n\n", 0, at), 0)
    depth, end = 0, text.index("{", at)
    while True:
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
        if depth == 0:
            break
    return text[begin:end] + (";" if re.search(rf"struct\s+{name}", text[begin:at + len(name)]) else "") + "\n"


def source(folder, names, instance):
    text = (folder.vllm / "csrc/cache_kernels.cu").read_text()
    return PREAMBLE + "".join(cut(text, name) for name in names) + instance + "\n}\n"


def includes(folder):
    types = folder.work / "vllm-types/torch/headeronly/util"
    types.mkdir(parents=True, exist_ok=True)
    for name in ("Float8_e4m3fn", "Float8_e4m3fnuz"):
        (types / f"{name}.h").write_text(TYPE_HEADER.format(name))
    return [folder.work / "vllm-types", folder.vllm / "csrc"]


def swept(kernel, published, sizes):
    """The same launch with other block sizes, the published one first."""
    for threads in dict.fromkeys((published, *sizes)):
        setting = "published" if threads == published else f"{threads} threads"
        yield {**kernel, "setting": setting, "block": [threads, 1, 1]}


def flash(folder, p):
    if p.dtype not in KERNEL_TYPES:
        raise Refused("dtype must be f32, f16 or bf16")
    kind = KERNEL_TYPES[p.dtype]
    if p.misalign % p.element:
        raise Refused("bases must be multiples of the element")
    instance = (f"template __global__ void reshape_and_cache_flash_kernel<{kind}, {kind}, Fp8KVCacheDataType::kAuto>("
                f"const {kind}*, const {kind}*, {kind}*, {kind}*, const int64_t*, int64_t, int64_t, int64_t, int64_t, "
                "int64_t, int, int, int, const float*, const float*, int);")
    ptx = folder.compile(source(folder, ["CopyWithScaleOp", "reshape_and_cache_flash_kernel"], instance),
                         includes(folder))
    page, slot, head = p.pool_strides
    arguments = [pointer(name) for name in ("k", "v", "k_pages", "v_pages", "slots")]
    arguments += [i64(x) for x in (page, slot, head, p.row_stride, p.row_stride)]
    arguments += [i32(x) for x in (p.heads, p.head_dim, p.page_size)] + [pointer("one"), pointer("one"), i32(0)]
    kernel = {"name": FLASH, "ptx": str(ptx), "entry": entry_of(ptx, "reshape_and_cache_flash_kernel"),
              "grid": [p.tokens, 1, 1], "arguments": arguments}
    return list(swept(kernel, min(p.row, 512), SWEEP))


def page_grid(p):
    return [-(-p.rows // p.page_size) + 2 * len(p.seq_lens), 1, 1]


def pages(folder, p):
    if p.element not in (1, 2, 4):
        raise Refused("elements must have 1, 2 or 4 bytes")
    if p.layout != "nhd" and p.heads > 1:
        raise Refused("a token must be one run of the cache (no hnd)")
    entry, row = p.row * p.element, p.row_stride * p.element
    vectorized, contiguous = p.misalign % 16 == 0 and entry % 16 == 0 and row % 16 == 0, entry == row
    flags = f"{str(contiguous).lower()}, {str(vectorized).lower()}"
    instance = (f"template __global__ void cp_gather_cache_page<{flags}>(const uint8_t*, uint8_t*, const int32_t*, "
                "const int32_t*, int32_t, int32_t, int32_t, int32_t, int64_t, int64_t, int64_t, int64_t, "
                "const int32_t*);")
    ptx = folder.compile(source(folder, ["GatherPageTask", "map_gather_page_task", "cp_gather_cache_page"], instance),
                         includes(folder))
    arguments = [pointer(name) for name in ("pages", "packed", "block_table", "cu_seqlens")]
    arguments += [i32(x) for x in (len(p.seq_lens), p.page_size, entry, p.rows)]
    arguments += [i64(x) for x in (p.columns, entry * p.page_size, entry, row)] + [{"null": 0}]
    kernel = {"name": PAGES, "ptx": str(ptx), "entry": entry_of(ptx, "cp_gather_cache_page"), "grid": page_grid(p),
              "arguments": arguments}
    return list(swept(kernel, 256, SWEEP if contiguous else ()))  # strided entries: 8 tokens per 256 threads, fixed


def dequant(folder, p):
    if p.row not in (320, 512, 576):
        raise Refused("an entry must have 320, 512 or 576 elements")
    if p.dtype not in KERNEL_TYPES:
        raise Refused("dtype must be f32, f16 or bf16")
    if p.layout != "nhd" and p.heads > 1:
        raise Refused("a token must be one run of the cache (no hnd)")
    if p.misalign % 16 or p.row_stride * p.element % 16:
        raise Refused("its accesses are 16 bytes wide: bases and strides must be multiples")
    kind = KERNEL_TYPES[p.dtype]
    instance = (f"template __global__ void gather_and_maybe_dequant_cache_page<{kind}, {kind}, "
                f"Fp8KVCacheDataType::kAuto, {p.row}>(const {kind}*, {kind}*, const int32_t*, const int32_t*, int32_t, "
                "int32_t, int32_t, int64_t, int64_t, int64_t, int64_t, const float*, const int32_t*);")
    names = ["GatherPageTask", "map_gather_page_task", "gather_and_maybe_dequant_cache_page"]
    ptx = folder.compile(source(folder, names, instance), includes(folder))
    arguments = [pointer(name) for name in ("pages", "packed", "block_table", "cu_seqlens")]
    arguments += [i32(x) for x in (len(p.seq_lens), p.rows, p.page_size)]
    arguments += [i64(x) for x in (p.columns, p.row * p.page_size, p.row, p.row_stride)]
    arguments += [pointer("one"), {"null": 0}]
    kernel = {"name": DEQUANT, "ptx": str(ptx), "entry": entry_of(ptx, "gather_and_maybe_dequant_cache_page"),
              "grid": page_grid(p), "arguments": arguments}
    return list(swept(kernel, 256, SWEEP))
