"""Fake kernels: shapes and dtypes of results for torch.compile and FakeTensor, with symbolic sizes.

Operators that only write into their operands have nothing to infer. Beyond what shapes follow from, nothing is checked
here: the real kernels do that.
"""

import torch
from torch.library import register_fake


def _needs(condition, message):
    torch._check(condition, lambda: f"tailor::{message}")


def _writes_only(*_args, **_kwargs):
    return None


for _name in (
    "paged_gather.into", "paged_append", "append_rope", "pack.into", "unpack.into", "gather_rows.into", "scatter_rows",
    "concat.into", "split.into", "ragged_transpose.into", "convert.into", "copy_",
):  # fmt: skip
    register_fake(f"tailor::{_name}", _writes_only)


@register_fake("tailor::paged_gather")
def _paged_gather(pages, block_table, seq_lens, cu_seqlens, rows, layout="nhd", check=False):
    _needs(pages.dim() == 4, f"paged_gather: pages.rank is {pages.dim()}; it must be 4")
    return pages.new_empty((rows, pages.shape[2 if layout == "nhd" else 1], pages.shape[3]))


@register_fake("tailor::pack")
def _pack(padded, cu_seqlens, rows, check=False):
    _needs(padded.dim() >= 2, f"pack: padded.rank is {padded.dim()}; it must be at least 2")
    return padded.new_empty((rows, *padded.shape[2:]))


@register_fake("tailor::unpack")
def _unpack(packed, cu_seqlens, padded_length, fill=0.0, check=False):
    _needs(packed.dim() >= 1, f"unpack: packed.rank is {packed.dim()}; it must be at least 1")
    _needs(cu_seqlens.dim() == 1, f"unpack: cu_seqlens.rank is {cu_seqlens.dim()}; it must be 1")
    return packed.new_empty((cu_seqlens.shape[0] - 1, padded_length, *packed.shape[1:]))


@register_fake("tailor::gather_rows")
def _gather_rows(source, index, check=False):
    _needs(source.dim() >= 1, f"gather_rows: source.rank is {source.dim()}; it must be at least 1")
    _needs(index.dim() == 1, f"gather_rows: index.rank is {index.dim()}; it must be 1")
    return source.new_empty((index.shape[0], *source.shape[1:]))


@register_fake("tailor::concat")
def _concat(a, cu_a, b, cu_b, check=False):
    _needs(a.dim() >= 1, f"concat: a.rank is {a.dim()}; it must be at least 1")
    _needs(b.dim() >= 1, f"concat: b.rank is {b.dim()}; it must be at least 1")
    return a.new_empty((a.shape[0] + b.shape[0], *a.shape[1:]))


@register_fake("tailor::split")
def _split(packed, cu_a, cu_b, rows_a, check=False):
    _needs(packed.dim() >= 1, f"split: packed.rank is {packed.dim()}; it must be at least 1")
    rest = packed.shape[1:]
    return packed.new_empty((rows_a, *rest)), packed.new_empty((packed.shape[0] - rows_a, *rest))


@register_fake("tailor::ragged_transpose")
def _ragged_transpose(source, cu_seqlens, length_multiple=1, check=False):
    _needs(source.dim() >= 1, f"ragged_transpose: source.rank is {source.dim()}; it must be at least 1")
    return source.new_empty((source.numel(),))


@register_fake("tailor::convert")
def _convert(source, dtype, scale=None):
    return source.new_empty(source.shape, dtype=dtype)


@register_fake("tailor::copy")
def _copy(source, flip=()):
    return source.new_empty(source.shape)
