"""Triton kernels of vLLM (source distribution), compiled by Triton without a GPU as its launcher would specialise them.

Compiles inside the peers' venv: `python peer_triton.py < request.json`, where the request is {"file", "kernel",
"constants", "arguments": {name: [type, value]}, "warps", "stages", "arch", "ptx"}; writes the PTX and prints {"shared",
"entry", "kept": names of the arguments left, "parameters": their number and that of scratch pointers}.
"""
import json
import re
import subprocess
import sys

FLASH, GATHER = "Triton reshape_and_cache_flash (vLLM)", "Triton cp_mha_gather_cache (vLLM)"
WARPS = (1, 2, 4, 8, 16)


def build(request):
    import ast
    import hashlib
    import importlib.util
    from pathlib import Path

    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    # The module around the kernel imports PyTorch and vLLM; the function alone needs neither.
    text = Path(request["file"]).read_text()
    node = next(n for n in ast.walk(ast.parse(text))
                if isinstance(n, ast.FunctionDef) and n.name == request["kernel"])
    lines = text.splitlines()[node.decorator_list[0].lineno - 1:node.end_lineno]
    indent = len(lines[0]) - len(lines[0].lstrip())
    module_text = "import triton\nimport triton.language as tl\n\n\n" + "\n".join(l[indent:] for l in lines) + "\n"
    file = Path(request["ptx"]).parent / f"kernel_{hashlib.sha256(module_text.encode()).hexdigest()[:16]}.py"
    file.write_text(module_text)
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kernel = getattr(module, request["kernel"])

    constants, attributes, signature, kept = dict(request["constants"]), {}, {}, []
    for i, name in enumerate(kernel.arg_names):
        if name in constants:
            signature[name] = "constexpr"
            continue
        kind, value = request["arguments"][name]
        if value == 1 and kind == "i32":  # the launcher makes a constant of 1
            signature[name], constants[name] = "constexpr", 1
            continue
        signature[name] = kind
        kept.append(name)
        if value % 16 == 0:
            attributes[(i,)] = [["tt.divisibility", 16]]
    source = ASTSource(kernel, signature, constants, attributes)
    target = GPUTarget("cuda", 90 if request["arch"].startswith("sm_90") else 80, 32)
    compiled = triton.compile(source, target=target,
                              options={"num_warps": request["warps"], "num_stages": request["stages"]})
    ptx = compiled.asm["ptx"]
    Path(request["ptx"]).write_text(ptx)
    entry = re.search(r"\.entry\s+([\w$]+)", ptx).group(1)
    begin = ptx.index(".entry")
    parameters = len(re.findall(r"\.param [^\n]*_param_\d+", ptx[begin:ptx.index("{", begin)]))
    print(json.dumps({"shared": compiled.metadata.shared, "entry": entry, "kept": kept, "parameters": parameters}))


def compiled(folder, request):
    import hashlib
    request = {**request, "arch": "sm_90a", "file": str(request["file"])}
    ptx = folder.work / f"triton_{hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:16]}.ptx"
    answer = ptx.with_suffix(".json")
    if not answer.exists():
        done = subprocess.run([folder.python, __file__], input=json.dumps({**request, "ptx": str(ptx)}),
                              capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"Triton on {request}\n{done.stderr}")
        answer.write_text(done.stdout.splitlines()[-1])
    return ptx, json.loads(answer.read_text())


def launches(folder, p, name, request, places, grid, published):
    """One launch per number of warps; `places` says where each pointer argument points."""
    result = []
    for warps in dict.fromkeys((published, *WARPS)):
        ptx, told = compiled(folder, {**request, "warps": warps})
        arguments = []
        for argument in told["kept"]:
            kind, value = request["arguments"][argument]
            arguments.append({"pointer": places[argument]} if kind.startswith("*") else {kind: value})
        arguments += [{"null": 0}] * (told["parameters"] - len(arguments))  # scratch memory, unused
        if told["shared"]:
            raise SystemExit(f"{name}: shared memory is not expected here")
        result.append({"name": name, "setting": "published" if warps == published else f"{warps} warps",
                       "ptx": str(ptx), "entry": told["entry"], "grid": grid, "block": [32 * warps, 1, 1],
                       "arguments": arguments})
    return result


def flash(folder, p):
    from peer_common import DTYPES, Refused
    if p.misalign % p.element:
        raise Refused("bases must be multiples of the element")
    page, slot, head = p.pool_strides
    kind = "*" + DTYPES[p.dtype][2]
    tile = min(2048, 1 << (p.row - 1).bit_length())  # on compute capability 9.0
    moved = [kind, p.misalign]
    request = {
        "file": folder.vllm / "vllm/v1/attention/ops/triton_reshape_and_cache_flash.py",
        "kernel": "reshape_and_cache_kernel_flash", "stages": 10,
        "constants": {"num_heads": p.heads, "head_size": p.head_dim, "block_size": p.page_size, "x": 1,
                      "USE_HEAD_MAJOR_LAYOUT": False, "INTERLEAVED_V_PACK_FACTOR": 0, "FP8_KV_CACHE": False,
                      "TILE_SIZE": tile},
        "arguments": {"key_ptr": moved, "value_ptr": moved, "key_cache_ptr": moved, "value_cache_ptr": moved,
                      "slot_mapping_ptr": ["*i64", 0], "k_scale": ["*fp32", 0], "v_scale": ["*fp32", 0],
                      "key_stride": ["i64", p.row_stride], "value_stride": ["i64", p.row_stride],
                      "block_stride": ["i64", page], "head_stride": ["i64", head], "dim_stride_k": ["i64", 0],
                      "dim_stride_v": ["i64", 0], "page_stride": ["i64", slot]},
    }
    places = {"key_ptr": "k", "value_ptr": "v", "key_cache_ptr": "k_pages", "value_cache_ptr": "v_pages",
              "slot_mapping_ptr": "slots", "k_scale": "one", "v_scale": "one"}
    return launches(folder, p, FLASH, request, places, [p.tokens, -(-p.row // tile), 1], 16)


def gather(folder, p):
    from peer_common import DTYPES, Refused
    if p.head_dim & (p.head_dim - 1):
        raise Refused("head_dim must be a power of two")
    if p.pad_row:
        raise Refused("packed rows must be dense")
    if p.misalign % p.element:
        raise Refused("bases must be multiples of the element")
    page, slot, head = p.pool_strides
    moved, index = ["*" + DTYPES[p.dtype][2], p.misalign], ["*i32", 0]
    request = {
        "file": folder.vllm / "vllm/v1/attention/backends/rocm_aiter_fa.py",
        "kernel": "cp_mha_gather_cache_kernel", "stages": 3,
        "constants": {"DEQUANT": False, "PAGE_SIZE": p.page_size, "CACHE_FORMAT": "NHD", "BLOCK_SIZE": p.head_dim},
        "arguments": {"key_cache_ptr": moved, "value_cache_ptr": moved, "key_ptr": moved, "value_ptr": moved,
                      "block_table_ptr": index, "cu_seqlens_kv_ptr": index, "token_to_batch_ptr": index,
                      "seq_start_ptr": index, "k_scale_ptr": ["*fp32", 0], "v_scale_ptr": ["*fp32", 0],
                      "num_heads": ["i32", p.heads], "head_size": ["i32", p.head_dim], "x": ["i32", 16 // p.element],
                      "max_block_num": ["i32", p.columns],
                      **{f"{which}_cache_stride{i}": ["i32", value]
                         for which in "kv" for i, value in enumerate((page, slot, head))}},
    }
    places = {"key_cache_ptr": "pages", "value_cache_ptr": "pages", "key_ptr": "packed", "value_ptr": "second",
              "block_table_ptr": "block_table", "cu_seqlens_kv_ptr": "cu_seqlens",
              "token_to_batch_ptr": "token_to_sequence", "seq_start_ptr": "sequence_starts", "k_scale_ptr": "one",
              "v_scale_ptr": "one"}
    return launches(folder, p, GATHER, request, places, [p.rows, p.heads, 1], 4)  # Triton's default: 4 warps


if __name__ == "__main__":
    build(json.load(sys.stdin))
