"""FlashInfer's append kernel (package flashinfer-python, flashinfer/page.cuh), launched as its own host code does."""
import subprocess

from peer_common import (DTYPES, MULTIPROCESSORS, Refused, blocks_per_multiprocessor, entry_of, i32, i64, pointer)

NAME = "FlashInfer append"
HEAD_DIMS = (64, 128, 256, 512)  # DISPATCH_HEAD_DIM

KERNEL = """#include <flashinfer/page.cuh>
namespace flashinfer {{
template __global__ void AppendPagedKVCacheKernel<{head_dim}, {vector}, {type}, int32_t>(
    paged_kv_t<{type}, int32_t>, {type}*, {type}*, int32_t*, int32_t*, uint32_t, size_t, size_t, size_t, size_t);
}}
"""

# Prints the bytes of the kernel's first argument; its five addresses are 0x7e…01, 0x7e…02, … in the order below.
STRUCTURE = """#include <flashinfer/page.cuh>
#include <cstdio>
#include <cstdlib>
int main(int, char** argument) {
  using Cache = flashinfer::paged_kv_t<nv_bfloat16, int32_t>;
  const auto number = [&](int i) { return std::strtoll(argument[i], nullptr, 10); };
  const auto address = [](uint64_t i) { return 0x7e7e7e7e7e7e7e00 + i; };
  const int64_t strides[] = {number(6), number(7), number(8)};
  const Cache cache(number(1), number(2), number(3), number(4),
                    number(5) ? flashinfer::QKVLayout::kHND : flashinfer::QKVLayout::kNHD,
                    reinterpret_cast<nv_bfloat16*>(address(1)), reinterpret_cast<nv_bfloat16*>(address(2)), strides,
                    reinterpret_cast<int32_t*>(address(3)), reinterpret_cast<int32_t*>(address(4)),
                    reinterpret_cast<int32_t*>(address(5)), nullptr);
  for (size_t i = 0; i < sizeof(cache); ++i) std::printf("%02x", reinterpret_cast<const unsigned char*>(&cache)[i]);
}
"""
ADDRESSES = ["k_pages", "v_pages", "page_indices", "page_indptr", "last_page_len"]


def includes(folder):
    data = folder.packages / "flashinfer/data"
    return [data / "include", *[data / "cccl" / part for part in ("libcudacxx/include", "thrust", "cub")]]


def structure(folder, p):
    program = folder.program(STRUCTURE, includes(folder))
    page, slot, head = p.pool_strides
    strides = (page, slot, head) if p.layout == "nhd" else (page, head, slot)  # in the order of the dimensions
    arguments = [p.heads, p.page_size, p.head_dim, len(p.seq_lens), int(p.layout == "hnd"), *strides]
    text = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=True).stdout
    places = {}
    for i, name in enumerate(ADDRESSES):
        mark = (0x7e7e7e7e7e7e7e00 + i + 1).to_bytes(8, "little").hex()
        assert text.count(mark) == 1 and text.index(mark) % 2 == 0
        places[str(text.index(mark) // 2)] = name
    return {"hex": text, "pointers": places}


def kernels(folder, p):
    if p.op != "paged_append":
        raise Refused("no gather kernel")
    if p.head_dim not in HEAD_DIMS:
        raise Refused(f"head_dim must be one of {HEAD_DIMS}")
    if p.dtype not in ("bf16", "f16", "fp8_e4m3"):
        raise Refused("dtype must be f16, bf16 or fp8")
    vector = max(16 // p.element, p.head_dim // 32)
    if not p.aligned(16):
        raise Refused("its accesses are 16 bytes wide: bases and strides must be multiples")
    threads = (p.head_dim // vector, p.heads)
    if threads[0] * threads[1] > 1024:
        raise Refused("more than 1024 threads")
    ptx = folder.compile(KERNEL.format(head_dim=p.head_dim, vector=vector, type=DTYPES[p.dtype][1]), includes(folder),
                         ("-use_fast_math",))
    resident = blocks_per_multiprocessor(threads[0] * threads[1], folder.registers(ptx))
    blocks = min(resident, -(-p.tokens // MULTIPROCESSORS)) * MULTIPROCESSORS
    arguments = [structure(folder, p), pointer("k"), pointer("v"), pointer("batch_index"), pointer("position"),
                 i32(p.tokens), i64(p.row_stride), i64(p.head_dim), i64(p.row_stride), i64(p.head_dim)]
    return [{"name": NAME, "setting": "published", "ptx": str(ptx), "entry": entry_of(ptx, "AppendPagedKVCacheKernel"),
             "grid": [blocks, 1, 1], "block": [*threads, 1], "arguments": arguments}]
