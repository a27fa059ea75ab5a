"""Compiles one kernel per line of stdin, in a warm process, and prints {"wall_ms", "cpu_ms", "bytes"} per line.

usage: compile_server.py triton|cutile, lines: "paged_gather" or "paged_append". Caches are off. Processor time is of
this process and of the compilers that it starts.
"""
import importlib.util
import io
import json
import os
import resource
import sys
import tempfile
import time

HEADS, HEAD_DIM, PAGE_SIZE = 8, 128, 16
ROW = HEADS * HEAD_DIM

# The same work as Tailor's kernels: the segment is searched, what is loaded from the device is checked, rows are moved.
TRITON = '''
import triton
import triton.language as tl


@triton.jit
def paged_gather(pages, table, lengths, offsets, packed, batch, rows, pool, columns, table_stride,
                 PAGE_SIZE: tl.constexpr, ROW: tl.constexpr):
    row = tl.program_id(0)
    low = 0
    high = batch
    while high - low > 1:
        middle = (low + high) // 2
        beyond = tl.load(offsets + middle) <= row
        low = tl.where(beyond, middle, low)
        high = tl.where(beyond, high, middle)
    begin = tl.load(offsets + low)
    t = row - begin
    inside = (t >= 0) & (row < tl.load(offsets + low + 1)) & (t < tl.load(lengths + low))
    column = t // PAGE_SIZE
    inside = inside & (column < columns)
    page = tl.load(table + low * table_stride + column, mask=inside, other=-1)
    inside = inside & (page >= 0) & (page < pool)
    lane = tl.arange(0, ROW)
    source = pages + (page.to(tl.int64) * PAGE_SIZE + t % PAGE_SIZE) * ROW + lane
    tl.store(packed + row.to(tl.int64) * ROW + lane, tl.load(source, mask=inside), mask=inside)


@triton.jit
def paged_append(k, v, batch_index, position, k_pages, v_pages, table, batch, pool, columns, table_stride,
                 PAGE_SIZE: tl.constexpr, ROW: tl.constexpr):
    row = tl.program_id(0)
    sequence = tl.load(batch_index + row)
    t = tl.load(position + row)
    column = t // PAGE_SIZE
    inside = (sequence >= 0) & (sequence < batch) & (t >= 0) & (column < columns)
    page = tl.load(table + sequence * table_stride + column, mask=inside, other=-1)
    inside = inside & (page >= 0) & (page < pool)
    lane = tl.arange(0, ROW)
    source = row.to(tl.int64) * ROW + lane
    target = (page.to(tl.int64) * PAGE_SIZE + t % PAGE_SIZE) * ROW + lane
    tl.store(k_pages + target, tl.load(k + source, mask=inside), mask=inside)
    tl.store(v_pages + target, tl.load(v + source, mask=inside), mask=inside)
'''

# A page of a sequence per block; the search and the checks are left out.
CUTILE = '''
import cuda.tile as ct


@ct.kernel
def paged_gather(pages, table, starts, packed, PAGE_SIZE: ct.Constant[int], ROW: ct.Constant[int]):
    sequence, column = ct.bid(0), ct.bid(1)
    page = ct.load(table, index=(sequence, column), shape=(1, 1)).item()
    start = ct.load(starts, index=(sequence,), shape=(1,)).item()
    tile = ct.load(pages, index=(page, 0, 0), shape=(1, PAGE_SIZE, ROW))
    ct.store(packed, index=(start // PAGE_SIZE + column, 0), tile=ct.reshape(tile, (PAGE_SIZE, ROW)))


@ct.kernel
def paged_append(k, v, slots, k_pages, v_pages, ROW: ct.Constant[int]):
    row = ct.bid(0)
    slot = ct.load(slots, index=(row,), shape=(1,)).item()
    ct.store(k_pages, index=(slot, 0), tile=ct.load(k, index=(row, 0), shape=(1, ROW)))
    ct.store(v_pages, index=(slot, 0), tile=ct.load(v, index=(row, 0), shape=(1, ROW)))
'''


def module_of(text, folder):
    """Both compilers read their kernels' source from a file."""
    file = os.path.join(folder, "kernels.py")
    with open(file, "w") as out:
        out.write(text)
    spec = importlib.util.spec_from_file_location("kernels", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def triton_compiler(folder):
    os.environ["TRITON_ALWAYS_COMPILE"] = "1"
    os.environ["TRITON_CACHE_DIR"] = os.path.join(folder, "cache")
    os.environ["TRITON_DEFAULT_FP_FUSION"] = "1"
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource
    kernels = module_of(TRITON, folder)
    target = GPUTarget("cuda", 90, 32)

    def compile_one(name):
        kernel = getattr(kernels, name)
        pointers = {"pages": "*bf16", "packed": "*bf16", "k": "*bf16", "v": "*bf16", "k_pages": "*bf16",
                    "v_pages": "*bf16", "table": "*i32", "lengths": "*i32", "offsets": "*i32", "batch_index": "*i32",
                    "position": "*i32"}
        constants = {"PAGE_SIZE": PAGE_SIZE, "ROW": ROW}
        signature = {a: "constexpr" if a in constants else pointers.get(a, "i32") for a in kernel.arg_names}
        attributes = {(i,): [["tt.divisibility", 16]] for i, a in enumerate(kernel.arg_names) if a in pointers}
        return len(triton.compile(ASTSource(kernel, signature, constants, attributes), target=target).asm["cubin"])

    return compile_one


def cutile_compiler(folder):
    os.environ["CUDA_TILE_CACHE_DIR"] = "0"
    import cuda.tile as ct
    from cuda.tile.compilation import ArrayConstraint, CallingConvention, KernelSignature, export_kernel
    kernels = module_of(CUTILE, folder)

    def array(dtype, rank, divisor=1):
        return ArrayConstraint(dtype, rank, index_dtype=ct.int32, stride_lower_bound_incl=0, alias_groups=[],
                               may_alias_internally=False, stride_constant=[None] * (rank - 1) + [1],
                               stride_divisible_by=[divisor] * (rank - 1) + [1], base_addr_divisible_by=16)

    rows, index = array(ct.bfloat16, 2, 8), array(ct.int32, 1)
    parameters = {
        "paged_gather": [array(ct.bfloat16, 3, 8), array(ct.int32, 2), index, rows, PAGE_SIZE, ROW],
        "paged_append": [rows, rows, index, rows, rows, ROW],
    }

    def compile_one(name):
        signature = KernelSignature(parameters[name], CallingConvention.cutile_python_v1())
        cubin = io.BytesIO()
        export_kernel(getattr(kernels, name), [signature], cubin, gpu_code="sm_90", output_format="cubin")
        return len(cubin.getvalue())

    return compile_one


def processor_seconds():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def serve(folder):
    compile_one = {"triton": triton_compiler, "cutile": cutile_compiler}[sys.argv[1]](folder)
    print("ready", flush=True)
    for line in sys.stdin:
        wall, cpu = time.perf_counter(), processor_seconds()
        size = compile_one(line.strip())
        print(json.dumps({"wall_ms": 1e3 * (time.perf_counter() - wall), "cpu_ms": 1e3 * (processor_seconds() - cpu),
                          "bytes": size}), flush=True)


def main():
    with tempfile.TemporaryDirectory() as folder:
        serve(folder)


main()
