"""What the tests of torch.ops.tailor share: random tensors with gaps in every dimension, and comparison by bytes."""

import random
import tempfile
import unittest

import torch

import tailor

# Every element type that is moved, by width.
DTYPES = [
    torch.uint8, torch.int8, torch.bool, torch.float8_e4m3fn, torch.float8_e5m2,
    torch.float16, torch.bfloat16, torch.int16, torch.uint16,
    torch.float32, torch.int32, torch.float64, torch.int64, torch.complex64,
]  # fmt: skip


class Rng(random.Random):
    """A seeded generator, and the element types that problems are made of."""

    def __init__(self, seed, dtypes=None):
        super().__init__(seed)
        self.dtypes = dtypes or DTYPES
        self.floats = [torch.float32, torch.float16, torch.bfloat16]
        self.convertible = self.floats + ([] if dtypes else [torch.float8_e4m3fn, torch.float8_e5m2])


def random_tensor(rng, shape, dtype):
    """Random bits, NaNs included."""
    count = 1
    for extent in shape:
        count *= extent
    generator = torch.Generator().manual_seed(rng.getrandbits(40))
    if dtype == torch.bool:
        return torch.randint(0, 2, shape, generator=generator, dtype=torch.uint8).view(torch.bool)
    raw = torch.randint(0, 256, (count * dtype.itemsize,), generator=generator, dtype=torch.uint8)
    return raw.view(dtype).reshape(shape)


def strided(rng, shape, dtype, dense_from=None):
    """(view, base): a view of `shape` with gaps, a random offset and a random order of dimensions in memory, and the
    tensor that it is cut out of. Dimensions from `dense_from` on stay dense and innermost."""
    rank = len(shape)
    dense_from = rank if dense_from is None else dense_from
    order = list(range(dense_from))
    if rng.random() < 0.5:
        rng.shuffle(order)
    order += range(dense_from, rank)
    gaps = [rng.choice([0, 0, 1, 3, 8]) if d < dense_from else 0 for d in order]
    offset = rng.choice([0, 0, 1, 5])
    counts = [shape[d] + gap for d, gap in zip(order, gaps)]
    total = 1
    for count in counts:
        total *= count
    base = random_tensor(rng, (total + offset,), dtype)
    view = base[offset:].view(counts)
    for d, gap in enumerate(gaps):
        view = view.narrow(d, rng.randint(0, gap), counts[d] - gap)
    inverse = [order.index(d) for d in range(rank)]
    return view.permute(inverse), base


def raw_bytes(tensor):
    dense = tensor.clone(memory_format=torch.contiguous_format).reshape(-1)
    return dense.view(torch.uint8) if dense.numel() else dense


def same_bits(a, b):
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype == torch.bool:
        return torch.equal(a, b)
    return torch.equal(raw_bytes(a), raw_bytes(b))


def like_in(view, base):
    """(copy of base, the part of the copy that `view` is of base)."""
    copy = base.clone()
    return copy, copy.as_strided(view.shape, view.stride(), view.storage_offset())


def cumulative(lengths):
    return torch.tensor([0, *torch.tensor(lengths, dtype=torch.int64).cumsum(0).tolist()], dtype=torch.int32)


def random_lengths(rng, batch, longest):
    return [rng.choice([0, 0, min(1, longest), longest, rng.randint(0, longest)]) for _ in range(batch)]


class TorchTest(unittest.TestCase):
    """Each test class works on an empty disk cache of its own."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="tailor-torch-test-")
        cls.addClassCleanup(folder.cleanup)
        tailor.configure(cache_root=folder.name)

    def rng(self, seed, dtypes=None):
        return Rng(f"{type(self).__name__}.{self._testMethodName}.{seed}", dtypes)

    def assert_same_bits(self, actual, expected):
        self.assertEqual(actual.shape, expected.shape)
        self.assertEqual(actual.dtype, expected.dtype)
        if not same_bits(actual, expected):
            different = (actual.contiguous().view(-1, 1) != expected.contiguous().view(-1, 1)).nonzero()
            self.fail(f"{different.shape[0]} of {actual.numel()} elements differ")
