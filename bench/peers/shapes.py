"""The ragged shapes of bench/COUNTS.md: what every lowering and every peer is asked to move.

Lengths: `trace` draws from percentiles of request lengths of two LLM services (Azure Public Dataset, November 2023,
CC BY 4.0; Patel et al., "Splitwise", ISCA 2024), fixed by a seed; EDGES lie around 0, 1 and multiples of pages.
"""
import bisect
import random

from peer_common import Problem

AT = (0, 1, 5, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, 95, 99, 99.9, 100)
CHAT = (2, 29, 181, 207, 387, 396, 403, 703, 1020, 1071, 1130, 1189, 1315, 2735, 4083, 4142, 6212, 14050)
CODE = (3, 17, 75, 147, 385, 578, 770, 1075, 1469, 1909, 2433, 2745, 3193, 5194, 7315, 7436, 7437, 7437)
EDGES = (1, 17, 64, 0, 129, 255, 33, 500)


def trace(values, batch, seed):
    """Context lengths of `batch` requests, by linear interpolation between the percentiles."""
    draw = random.Random(seed)
    lengths = []
    for _ in range(batch):
        at = draw.uniform(0, 100)
        i = min(max(bisect.bisect_right(AT, at) - 1, 0), len(AT) - 2)
        lengths.append(round(values[i] + (values[i + 1] - values[i]) * (at - AT[i]) / (AT[i + 1] - AT[i])))
    return tuple(lengths)


CHAT_6, CODE_4, CHAT_48 = trace(CHAT, 6, 5), trace(CODE, 4, 5), trace(CHAT, 48, 7)

# label, heads, head_dim, dtype, page_size, layout, misalign, pad_row, lengths of a gather, (lengths, tokens) of an
# append
DECODE, CHUNK, MIX = (CHAT_48, 48), (CHAT_6, 1024), (EDGES, 64)
ROWS = [
    ("Llama-3 8B, chat", 8, 128, "bf16", 16, "nhd", 0, 0, CHAT_6, DECODE),
    ("Llama-3 8B, chat, chunk", 8, 128, "bf16", 16, "nhd", 0, 0, CODE_4, CHUNK),
    ("hnd", 8, 128, "bf16", 16, "hnd", 0, 0, CHAT_6, DECODE),
    ("tp8", 1, 128, "bf16", 16, "nhd", 0, 0, CHAT_6, DECODE),
    ("Llama-3.2 1B", 8, 64, "f16", 16, "nhd", 0, 0, CHAT_6, DECODE),
    ("D 256", 4, 256, "bf16", 32, "nhd", 0, 0, EDGES, MIX),
    ("MLA", 1, 576, "bf16", 64, "nhd", 0, 0, CHAT_6, DECODE),
    ("MLA, page 1", 1, 512, "f16", 1, "nhd", 0, 0, EDGES, MIX),
    ("f32", 4, 80, "f32", 16, "nhd", 0, 0, EDGES, MIX),
    ("D 80", 8, 80, "bf16", 48, "nhd", 0, 0, EDGES, MIX),
    ("D 96, page 7", 4, 96, "f16", 7, "nhd", 0, 0, EDGES, MIX),
    ("D 72 hnd", 3, 72, "bf16", 24, "hnd", 0, 0, EDGES, MIX),
    ("D 65", 5, 65, "bf16", 16, "nhd", 0, 0, EDGES, MIX),
    ("D 33, one head", 1, 33, "f32", 16, "nhd", 0, 0, CHAT_6, DECODE),
    ("D 127 hnd", 2, 127, "f16", 16, "hnd", 0, 0, EDGES, MIX),
    ("fp8", 8, 128, "fp8_e4m3", 16, "nhd", 0, 0, CHAT_6, DECODE),
    ("fp8, D 100, page 672", 2, 100, "fp8_e4m3", 672, "nhd", 0, 0, CHAT_6, DECODE),
    ("base +8", 8, 128, "bf16", 16, "nhd", 8, 0, EDGES, MIX),
    ("base +2", 8, 64, "bf16", 16, "nhd", 2, 0, EDGES, MIX),
    ("padded rows", 8, 128, "bf16", 16, "nhd", 0, 64, EDGES, MIX),
    ("f64, D 37, page 1", 2, 37, "f64", 1, "nhd", 0, 0, EDGES, MIX),
]


def problems(op):
    """[(label, Problem)] with what tells the rows apart spelled out."""
    result = []
    for label, heads, head_dim, dtype, page, layout, misalign, pad, gather, (lengths, tokens) in ROWS:
        if op == "paged_gather":
            lengths, tokens = gather, 0
        problem = Problem(op, heads, head_dim, dtype, page, tuple(lengths), tokens, layout, misalign, pad)
        moved = f"{tokens} tokens" if tokens else f"{problem.rows} rows"
        text = f"{label}: {heads}×{head_dim} {dtype}, page {page}" + (f", {layout}" if layout == "hnd" else "")
        text += (f", base +{misalign} bytes" if misalign else "") + (f", rows +{pad}" if pad else "")
        result.append((f"{text}; {moved}", problem))
    return result
