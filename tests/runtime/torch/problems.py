"""Random valid problems of every operator, with the result that plain torch gives."""

from dataclasses import dataclass, field

import torch

from support import cumulative, like_in, random_lengths, random_tensor, strided


@dataclass
class Problem:
    """A call: operator, arguments, and what it must leave behind."""

    op: object  # an OpOverload
    args: tuple
    kwargs: dict = field(default_factory=dict)
    results: tuple = ()  # of the functional form
    written: tuple = ()  # (whole storage of a written operand, what it must hold)

    def on(self, device):
        """The same on a device: storages are copied whole, so that strides, offsets and gaps stay."""
        storages = {}

        def moved(value):
            if not isinstance(value, torch.Tensor):
                return value
            storage = value.untyped_storage()
            if storage.data_ptr() not in storages:
                whole = torch.empty(0, dtype=torch.uint8).set_(storage)
                storages[storage.data_ptr()] = whole.to(device, copy=True).untyped_storage()
            copy = torch.empty(0, dtype=value.dtype, device=device)
            return copy.set_(storages[storage.data_ptr()], value.storage_offset(), value.shape, value.stride())

        return Problem(
            self.op,
            tuple(moved(a) for a in self.args),
            {name: moved(a) for name, a in self.kwargs.items()},
            self.results,
            tuple((moved(storage), expected) for storage, expected in self.written),
        )


@dataclass
class Pages:
    page_size: int
    heads: int
    head_dim: int
    pages: int
    batch: int
    max_pages: int
    layout: str
    dtype: torch.dtype
    table: torch.Tensor

    def pool(self, rng):
        rows = (self.page_size, self.heads) if self.layout == "nhd" else (self.heads, self.page_size)
        return strided(rng, (self.pages, *rows, self.head_dim), self.dtype, rng.choice([None, 3, 3]))

    def rows(self, rng, count):
        return strided(rng, (count, self.heads, self.head_dim), self.dtype, rng.choice([None, 2, 2, 1]))

    def row_of(self, pool, sequence, position):
        page = pool[int(self.table[sequence, position // self.page_size])]
        slot = position % self.page_size
        return page[slot] if self.layout == "nhd" else page[:, slot]


def random_pages(rng):
    page_size, batch, max_pages = rng.choice([1, 2, 3, 16]), rng.choice([0, 1, 2, 5]), rng.choice([0, 1, 3])
    pages = batch * max_pages + rng.choice([0, 2])
    table, _ = strided(rng, (batch, max_pages), torch.int32, 1)
    table.copy_(torch.randperm(max(pages, 1), generator=torch.Generator().manual_seed(rng.getrandbits(40)))
                [: batch * max_pages].view(batch, max_pages))  # fmt: skip
    return Pages(page_size, rng.choice([1, 2, 3]), rng.choice([1, 3, 8, 20, 64]), pages, batch, max_pages,
                 rng.choice(["nhd", "hnd"]), rng.choice(rng.dtypes), table)  # fmt: skip


def paged_gather(rng):
    p = random_pages(rng)
    lengths = random_lengths(rng, p.batch, p.max_pages * p.page_size)
    rows = sum(lengths)
    pool, _ = p.pool(rng)
    expected = torch.empty((rows, p.heads, p.head_dim), dtype=p.dtype)
    row = 0
    for s, length in enumerate(lengths):
        for t in range(length):
            expected[row] = p.row_of(pool, s, t)
            row += 1
    inputs = (pool, p.table, torch.tensor(lengths, dtype=torch.int32), cumulative(lengths))
    return p, inputs, rows, expected


def paged_gather_default(rng):
    p, inputs, rows, expected = paged_gather(rng)
    return Problem(torch.ops.tailor.paged_gather.default, (*inputs, rows), {"layout": p.layout}, (expected,))


def paged_gather_into(rng):
    p, inputs, rows, expected = paged_gather(rng)
    spare = rng.choice([0, 0, 3])  # rows that no sequence owns stay
    out, base = p.rows(rng, rows + spare)
    wanted, part = like_in(out, base)
    part[:rows] = expected
    return Problem(torch.ops.tailor.paged_gather.into, (*inputs, out), {"layout": p.layout}, (), ((base, wanted),))


def paged_append(rng):
    p = random_pages(rng)
    slots = [(s, t) for s in range(p.batch) for t in range(p.max_pages * p.page_size)]
    tokens = rng.sample(slots, rng.choice([0, 1, len(slots), len(slots) // 2]) if slots else 0)
    (k, _), (v, _) = p.rows(rng, len(tokens)), p.rows(rng, len(tokens))
    (k_pages, k_base), (v_pages, v_base) = p.pool(rng), p.pool(rng)
    (k_wanted, k_part), (v_wanted, v_part) = like_in(k_pages, k_base), like_in(v_pages, v_base)
    for i, (s, t) in enumerate(tokens):
        p.row_of(k_part, s, t).copy_(k[i])
        p.row_of(v_part, s, t).copy_(v[i])
    batch_index = torch.tensor([s for s, _ in tokens], dtype=torch.int32)
    position = torch.tensor([t for _, t in tokens], dtype=torch.int32)
    return Problem(
        torch.ops.tailor.paged_append.default,
        (k, v, batch_index, position, k_pages, v_pages, p.table),
        {"layout": p.layout},
        (),
        ((k_base, k_wanted), (v_base, v_wanted)),
    )


def append_rope(rng):
    p = random_pages(rng)
    p.dtype = rng.choice(rng.floats)
    p.head_dim = rng.choice([2, 8, 20, 64])
    half = rng.choice([1, p.head_dim // 2])  # of the rotated dimensions
    capacity = p.max_pages * p.page_size
    slots = [(s, t) for s in range(p.batch) for t in range(capacity)]
    tokens = rng.sample(slots, rng.choice([0, 1, len(slots)]) if slots else 0)
    table_type = rng.choice([torch.float32, p.dtype])
    angles = torch.randn((capacity + 1, half), generator=torch.Generator().manual_seed(rng.getrandbits(40)))
    cos, sin = angles.cos().to(table_type), angles.sin().to(table_type)
    k = torch.randn((len(tokens), p.heads, p.head_dim)).to(p.dtype)
    v, _ = p.rows(rng, len(tokens))
    (k_pages, k_base), (v_pages, v_base) = p.pool(rng), p.pool(rng)
    (k_wanted, k_part), (v_wanted, v_part) = like_in(k_pages, k_base), like_in(v_pages, v_base)
    style = rng.choice(["halves", "interleaved"])
    for i, (s, t) in enumerate(tokens):
        first = slice(0, half) if style == "halves" else slice(0, 2 * half, 2)
        second = slice(half, 2 * half) if style == "halves" else slice(1, 2 * half, 2)
        x, y, c, z = k[i, :, first].float(), k[i, :, second].float(), cos[t].float(), sin[t].float()
        rotated = k[i].clone()
        rotated[:, first] = (x * c - y * z).to(p.dtype)
        rotated[:, second] = (y * c + x * z).to(p.dtype)
        p.row_of(k_part, s, t).copy_(rotated)
        p.row_of(v_part, s, t).copy_(v[i])
    batch_index = torch.tensor([s for s, _ in tokens], dtype=torch.int32)
    position = torch.tensor([t for _, t in tokens], dtype=torch.int32)
    return Problem(
        torch.ops.tailor.append_rope.default,
        (k, v, batch_index, position, k_pages, v_pages, p.table, cos, sin),
        {"layout": p.layout, "style": style},
        (),
        ((k_base, k_wanted), (v_base, v_wanted)),
    )


def trailing(rng):
    """Dimensions of a row."""
    return rng.choice([(), (1,), (3,), (8,), (20,), (2, 9), (4, 16), (0,)])


def rows_of(rng, count, rest, dtype):
    """[count, *rest] with gaps between rows, and the whole storage."""
    return strided(rng, (count, *rest), dtype, 1)


def lengths_and_rest(rng):
    longest = rng.choice([0, 1, 5, 16, 33])
    return longest, random_lengths(rng, rng.choice([0, 1, 2, 7]), longest), trailing(rng), rng.choice(rng.dtypes)


def pack(rng):
    longest, lengths, rest, dtype = lengths_and_rest(rng)
    padded, _ = strided(rng, (len(lengths), longest, *rest), dtype, 2)
    expected = torch.cat([torch.empty((0, *rest), dtype=dtype), *(padded[s, :n] for s, n in enumerate(lengths))])
    return padded, cumulative(lengths), expected


def pack_default(rng):
    padded, cu_seqlens, expected = pack(rng)
    return Problem(torch.ops.tailor.pack.default, (padded, cu_seqlens, expected.shape[0]), {}, (expected,))


def pack_into(rng):
    padded, cu_seqlens, expected = pack(rng)
    packed, base = rows_of(rng, expected.shape[0] + rng.choice([0, 2]), expected.shape[1:], expected.dtype)
    wanted, part = like_in(packed, base)
    part[: expected.shape[0]] = expected
    return Problem(torch.ops.tailor.pack.into, (padded, cu_seqlens, packed), {}, (), ((base, wanted),))


def unpack(rng):
    longest, lengths, rest, dtype = lengths_and_rest(rng)
    packed, _ = rows_of(rng, sum(lengths), rest, dtype)
    fill = rng.choice([0.0, 1.0]) if dtype == torch.bool else rng.choice([0.0, 1.0, 7.0])
    if dtype.is_floating_point:
        fill = rng.choice([0.0, -1.5, float("inf"), 0.3])
    if dtype == torch.float8_e4m3fn:
        fill = rng.choice([0.0, -1.5, 448.0, 0.3])
    expected = torch.full((len(lengths), longest, *rest), fill, dtype=torch.float64).to(dtype)
    row = 0
    for s, length in enumerate(lengths):
        expected[s, :length] = packed[row : row + length]
        row += length
    return packed, cumulative(lengths), fill, expected


def unpack_default(rng):
    packed, cu_seqlens, fill, expected = unpack(rng)
    return Problem(torch.ops.tailor.unpack.default, (packed, cu_seqlens, expected.shape[1], fill), {}, (expected,))


def unpack_into(rng):
    packed, cu_seqlens, fill, expected = unpack(rng)
    padded, base = strided(rng, expected.shape, expected.dtype, 2)
    wanted, part = like_in(padded, base)
    part.copy_(expected)
    return Problem(torch.ops.tailor.unpack.into, (packed, cu_seqlens, padded), {"fill": fill}, (), ((base, wanted),))


def gather_rows(rng):
    count, named, rest, dtype = rng.choice([1, 2, 40]), rng.choice([0, 1, 33]), trailing(rng), rng.choice(rng.dtypes)
    source, _ = rows_of(rng, count, rest, dtype)
    index = torch.tensor([rng.randrange(count) for _ in range(named)], dtype=rng.choice([torch.int32, torch.int64]))
    return source, index, torch.stack([source[i] for i in index.tolist()]) if named else source[:0]


def gather_rows_default(rng):
    source, index, expected = gather_rows(rng)
    return Problem(torch.ops.tailor.gather_rows.default, (source, index), {}, (expected,))


def gather_rows_into(rng):
    source, index, expected = gather_rows(rng)
    target, base = rows_of(rng, expected.shape[0], expected.shape[1:], expected.dtype)
    wanted, part = like_in(target, base)
    part.copy_(expected)
    return Problem(torch.ops.tailor.gather_rows.into, (source, index, target), {}, (), ((base, wanted),))


def scatter_rows(rng):
    count, rest, dtype = rng.choice([0, 1, 33]), trailing(rng), rng.choice(rng.dtypes)
    source, _ = rows_of(rng, count, rest, dtype)
    target, base = rows_of(rng, count + rng.choice([0, 5]), rest, dtype)
    index = rng.sample(range(target.shape[0]), count)
    wanted, part = like_in(target, base)
    for i, row in enumerate(index):
        part[row] = source[i]
    index = torch.tensor(index, dtype=rng.choice([torch.int32, torch.int64]))
    kwargs = {"unique": rng.random() < 0.5}
    return Problem(torch.ops.tailor.scatter_rows.default, (source, index, target), kwargs, (), ((base, wanted),))


def ragged_pair(rng):
    """Two batches of sequences and their concatenation."""
    batch, rest, dtype = rng.choice([0, 1, 6]), trailing(rng), rng.choice(rng.dtypes)
    lengths_a, lengths_b = random_lengths(rng, batch, 17), random_lengths(rng, batch, 9)
    a, b = (rows_of(rng, sum(lengths), rest, dtype)[0] for lengths in (lengths_a, lengths_b))
    pieces = [a[:0]]
    at_a = at_b = 0
    for length_a, length_b in zip(lengths_a, lengths_b):
        pieces += [a[at_a : at_a + length_a], b[at_b : at_b + length_b]]
        at_a, at_b = at_a + length_a, at_b + length_b
    return a, cumulative(lengths_a), b, cumulative(lengths_b), torch.cat(pieces)


def concat_default(rng):
    *inputs, expected = ragged_pair(rng)
    return Problem(torch.ops.tailor.concat.default, tuple(inputs), {}, (expected,))


def concat_into(rng):
    *inputs, expected = ragged_pair(rng)
    out, base = rows_of(rng, expected.shape[0], expected.shape[1:], expected.dtype)
    wanted, part = like_in(out, base)
    part.copy_(expected)
    return Problem(torch.ops.tailor.concat.into, (*inputs, out), {}, (), ((base, wanted),))


def split_default(rng):
    a, cu_a, b, cu_b, packed = ragged_pair(rng)
    return Problem(torch.ops.tailor.split.default, (packed, cu_a, cu_b, a.shape[0]), {}, (a, b))


def split_into(rng):
    a, cu_a, b, cu_b, packed = ragged_pair(rng)
    (to_a, base_a), (to_b, base_b) = (rows_of(rng, t.shape[0], t.shape[1:], t.dtype) for t in (a, b))
    (wanted_a, part_a), (wanted_b, part_b) = like_in(to_a, base_a), like_in(to_b, base_b)
    part_a.copy_(a)
    part_b.copy_(b)
    written = ((base_a, wanted_a), (base_b, wanted_b))
    return Problem(torch.ops.tailor.split.into, (packed, cu_a, to_a, cu_b, to_b), {}, (), written)


def ragged_transpose(rng):
    multiple = rng.choice([1, 1, 2, 8])
    lengths = [length * multiple for length in random_lengths(rng, rng.choice([0, 1, 6]), rng.choice([3, 40]))]
    width, dtype = rng.choice([0, 1, 7, 32, 65]), rng.choice(rng.dtypes)
    source, _ = rows_of(rng, sum(lengths), (width,), dtype)
    pieces = [source[:0].reshape(-1)]
    row = 0
    for length in lengths:
        pieces.append(source[row : row + length].t().reshape(-1))
        row += length
    return source, cumulative(lengths), multiple, torch.cat(pieces)


def ragged_transpose_default(rng):
    source, cu_seqlens, multiple, expected = ragged_transpose(rng)
    return Problem(torch.ops.tailor.ragged_transpose.default, (source, cu_seqlens, multiple), {}, (expected,))


def ragged_transpose_into(rng):
    source, cu_seqlens, multiple, expected = ragged_transpose(rng)
    base = random_tensor(rng, (expected.shape[0] + 5,), expected.dtype)
    wanted = base.clone()
    wanted[5:] = expected
    arguments = (source, cu_seqlens, base[5:], multiple)
    return Problem(torch.ops.tailor.ragged_transpose.into, arguments, {}, (), ((base, wanted),))


def convert(rng):
    source_type, target_type = rng.choice(rng.convertible), rng.choice(rng.convertible)
    generator = torch.Generator().manual_seed(rng.getrandbits(40))
    shape = (rng.choice([0, 1, 30]), *rng.choice([(), (3,), (16,), (2, 9)]))
    magnitude = torch.randn(shape, generator=generator).mul(rng.choice([1, 8])).exp()
    source = (magnitude * torch.randn(shape, generator=generator).sign()).to(source_type)
    scale = None if rng.random() < 0.3 else torch.tensor([rng.choice([1.0, 0.125, 3.7])])
    exact = source.float() if scale is None else source.float() * scale
    if target_type.itemsize == 1:
        limit = torch.finfo(target_type).max
        exact = exact.clamp(-limit, limit)  # NaN stays
    return source, target_type, scale, exact.to(target_type)


def convert_default(rng):
    source, target_type, scale, expected = convert(rng)
    return Problem(torch.ops.tailor.convert.default, (source, target_type, scale), {}, (expected,))


def convert_into(rng):
    source, target_type, scale, expected = convert(rng)
    target, base = rows_of(rng, expected.shape[0], expected.shape[1:], target_type)
    wanted, part = like_in(target, base)
    part.copy_(expected)
    return Problem(torch.ops.tailor.convert.into, (source, target, scale), {}, (), ((base, wanted),))


def random_shape(rng):
    return tuple(rng.choice([1, 2, 3, 7, 16, 0 if rng.random() < 0.1 else 5]) for _ in range(rng.randint(1, 4)))


def flip_dims(tensor, dims):
    """Dense. torch flips no float8."""
    if tensor.dtype.itemsize != 1:
        return tensor.flip(dims).contiguous()
    return tensor.view(torch.uint8).flip(dims).contiguous().view(tensor.dtype)


def flipped(rng, rank):
    return [d - rank * rng.randint(0, 1) for d in range(rank) if rng.random() < 0.25]


def copy_default(rng):
    source, _ = strided(rng, random_shape(rng), rng.choice(rng.dtypes))
    flip = flipped(rng, source.dim())
    return Problem(torch.ops.tailor.copy.default, (source, flip), {}, (flip_dims(source, flip),))


def copy_into(rng):
    """Permuted, sliced, flipped and broadcast copies; and a reshape between dense tensors."""
    shape, dtype = random_shape(rng), rng.choice(rng.dtypes)
    if rng.random() < 0.3:
        source = random_tensor(rng, shape, dtype)
        target, base = strided(rng, (source.numel(),), dtype)
        expected, flip = source.reshape(-1), []
    else:
        source, _ = strided(rng, shape, dtype)
        if rng.random() < 0.2:
            source = source[:1].expand(shape) if shape[0] else source
        target, base = strided(rng, shape, dtype)
        flip = flipped(rng, len(shape))
        expected = flip_dims(source, flip)
    wanted, part = like_in(target, base)
    part.copy_(expected)
    return Problem(torch.ops.tailor.copy_.default, (target, source, flip), {}, (), ((base, wanted),))


PROBLEMS = {
    "paged_gather": paged_gather_default,
    "paged_gather.into": paged_gather_into,
    "paged_append": paged_append,
    "append_rope": append_rope,
    "pack": pack_default,
    "pack.into": pack_into,
    "unpack": unpack_default,
    "unpack.into": unpack_into,
    "gather_rows": gather_rows_default,
    "gather_rows.into": gather_rows_into,
    "scatter_rows": scatter_rows,
    "concat": concat_default,
    "concat.into": concat_into,
    "split": split_default,
    "split.into": split_into,
    "ragged_transpose": ragged_transpose_default,
    "ragged_transpose.into": ragged_transpose_into,
    "convert": convert_default,
    "convert.into": convert_into,
    "copy": copy_default,
    "copy_": copy_into,
}
