"""Tailor for PyTorch: ragged data movement as torch.ops.tailor.*.

    import torch, tailor
    packed = torch.ops.tailor.paged_gather(pages, block_table, seq_lens, cu_seqlens, rows)

Operators run on the current stream of CUDA tensors, and on Tailor's virtual device for CPU tensors (an interpreter: for
tests, not for speed). Kernels are kept in a disk cache. Faulty indices on the device never cause a wrong access: the
rows concerned are left out, and ``check=True`` waits for the launch and raises. Operators may be called from any
thread; errors are RuntimeErrors that name operator, argument and rule.
"""

import json

import torch

from . import _environment, _library

_library.load()

from . import _fake  # noqa: E402,F401  (needs the schemas)

__all__ = ["configure", "stats"]


def configure(*, cache_root=None, library_folders=None, **options):
    """Sets how kernels are made and kept; holds for every launch after it.

    cache_root: absolute folder of the disk cache; None: TAILOR_CACHE_DIR or the user's cache folder; "": no disk cache.
    library_folders: where NVRTC and nvJitLink are looked for first; None: TAILOR_LIBRARY_PATH, then torch's own.
    options: cache_read_only, cache_durable, require_cubin (bool); arch ("sm_80", "sm_90a"), emitter ("llvm", "nvrtc"),
    lowering ("tail", "guarded", "pow2-mask"), codegen_library, telemetry_path (str); learn_residues_after (int).
    """
    if cache_root is None:
        cache_root = _environment.cache_root()
    if library_folders is None:
        library_folders = _environment.library_folders()
    torch.ops.tailor.configure(
        cache_root=str(cache_root), library_folders=[str(folder) for folder in library_folders], **options
    )


def stats(device="cpu"):
    """What the device's launches did since `configure`: launches, misses by reason, kernels compiled. {} if none."""
    return json.loads(torch.ops.tailor.stats(torch.device(device)))


configure()
