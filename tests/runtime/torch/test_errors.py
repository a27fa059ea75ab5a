"""Bad input raises a RuntimeError that names operator, argument and rule, and nothing is written."""

import unittest

import torch

import tailor
from support import TorchTest

OPS = torch.ops.tailor


def append_arguments():
    """A valid call: two tokens for sequence 1, at positions 0 and 5."""
    return {
        "k": torch.randn(2, 2, 8),
        "v": torch.randn(2, 2, 8),
        "batch_index": torch.tensor([1, 1], dtype=torch.int32),
        "position": torch.tensor([0, 5], dtype=torch.int32),
        "k_pages": torch.zeros(3, 4, 2, 8),
        "v_pages": torch.zeros(3, 4, 2, 8),
        "block_table": torch.tensor([[0, 1], [2, 0]], dtype=torch.int32),
    }


def gather_arguments():
    return {
        "pages": torch.randn(3, 4, 2, 8),
        "block_table": torch.tensor([[0, 1], [2, 0]], dtype=torch.int32),
        "seq_lens": torch.tensor([5, 1], dtype=torch.int32),
        "cu_seqlens": torch.tensor([0, 5, 6], dtype=torch.int32),
    }


class Errors(TorchTest):
    def refuses(self, op, arguments, *words):
        before = {name: a.clone() for name, a in arguments.items() if isinstance(a, torch.Tensor)}
        with self.assertRaises(RuntimeError) as caught:
            op(**arguments)
        message = str(caught.exception)
        self.assertTrue(message.startswith(f"{op._schema.name}: "), message)
        for word in words:
            self.assertIn(word, message)
        self.assertNotIn(".cpp", message)
        for name, tensor in before.items():
            self.assertTrue(torch.equal(arguments[name], tensor), name)

    def test_append_names_the_argument(self):
        cases = [
            ({"k": torch.randn(2, 3, 8)}, "k.shape[1] is 3; it must equal H of k_pages (2)"),
            ({"v": torch.randn(3, 2, 8)}, "v.shape[0] is 3; it must equal k.shape[0] (2)"),
            ({"k": torch.randn(2, 16)}, "k.rank is 2; it must be 3"),
            ({"v": torch.randn(2, 2, 8).half()}, "v.dtype is torch.float16; it must equal that of k (torch.float32)"),
            ({"k_pages": torch.zeros(3, 4, 2, 8, dtype=torch.int32)}, "k_pages.dtype is torch.int32"),
            ({"position": torch.tensor([0, 5])}, "position.dtype is torch.int64; it must be torch.int32"),
            ({"batch_index": torch.tensor([1], dtype=torch.int32)}, "batch_index.shape[0] is 1"),
            ({"block_table": torch.zeros(2, 2, dtype=torch.int32).t()}, "block_table.stride[1] is 2; it must be 1"),
            ({"layout": "bshd"}, 'layout is "bshd"; it must be "nhd" or "hnd"'),
            ({"v_pages": torch.zeros(4, 4, 2, 8)}, "v_pages.shape[0] is 4"),
            ({"k_pages": torch.zeros(1, 4, 2, 8).expand(3, 4, 2, 8)}, "k_pages", "names some element twice"),
        ]
        for change, *words in cases:
            with self.subTest(words=words):
                self.refuses(OPS.paged_append.default, append_arguments() | change, *words)

    def test_other_layouts_have_no_kernel(self):
        with self.assertRaises(NotImplementedError):
            OPS.paged_append(**append_arguments() | {"v": torch.randn(2, 2, 8).to_sparse()})

    def test_operands_that_overlap_are_refused(self):
        arguments = append_arguments()
        arguments["v_pages"] = arguments["k_pages"]
        self.refuses(OPS.paged_append.default, arguments, "v_pages", "overlaps k_pages")

    def test_gather_names_the_argument(self):
        for change, *words in [
            ({"rows": -1}, "rows is -1; it must not be negative"),
            ({"pages": torch.randn(3, 4, 8)}, "pages.rank is 3; it must be 4"),
            ({"pages": torch.randn(3, 4, 2, 8, dtype=torch.complex128)}, "pages", "ComplexDouble"),
            ({"cu_seqlens": torch.zeros(2, dtype=torch.int32)}, "cu_seqlens.shape[0] is 2"),
            ({"seq_lens": torch.zeros(2)}, "seq_lens.dtype is torch.float32; it must be torch.int32"),
        ]:
            with self.subTest(words=words):
                self.refuses(OPS.paged_gather.default, gather_arguments() | {"rows": 6} | change, *words)

    def test_ragged_operators_name_the_argument(self):
        rows, wide, offsets = torch.randn(6, 8), torch.randn(6, 9), torch.tensor([0, 2, 6], dtype=torch.int32)
        index, padded = torch.tensor([1, 0]), torch.randn(2, 4, 8)
        gaps = torch.randn(6, 4, 4)[:, :, :2]  # rows that are not one run of equal steps
        cases = [
            (OPS.pack.default, {"padded": rows[:, 0], "cu_seqlens": offsets, "rows": 6}, "padded.rank is 1"),
            (OPS.pack.default, {"padded": padded, "cu_seqlens": offsets, "rows": -2}, "rows is -2"),
            (OPS.pack.default, {"padded": padded, "cu_seqlens": offsets[:2], "rows": 6}, "cu_seqlens.shape[0] is 2"),
            (OPS.pack.default, {"padded": padded, "cu_seqlens": offsets.long(), "rows": 6}, "cu_seqlens.dtype is torch.int64"),
            (OPS.pack.into, {"padded": padded, "cu_seqlens": offsets, "packed": wide}, "packed.shape[1] is 9"),
            (OPS.pack.into, {"padded": padded, "cu_seqlens": offsets, "packed": rows.half()}, "packed.dtype is torch.float16"),
            (OPS.unpack.default, {"packed": rows, "cu_seqlens": offsets[:0], "padded_length": 4}, "cu_seqlens.shape[0] is 0"),
            (OPS.unpack.default, {"packed": rows, "cu_seqlens": offsets, "padded_length": -1}, "padded_length is -1"),
            (OPS.unpack.default, {"packed": rows.int(), "cu_seqlens": offsets, "padded_length": 4, "fill": 0.5}, "fill is 0.5"),
            (OPS.unpack.into, {"packed": rows, "cu_seqlens": offsets, "padded": torch.randn(3, 4, 8)}, "padded.shape[0] + 1 (4)"),
            (OPS.gather_rows.default, {"source": rows, "index": index.to(torch.int16)}, "index.dtype is torch.int16; it must be torch.int32 or torch.int64"),
            (OPS.gather_rows.default, {"source": rows, "index": index[None]}, "index.rank is 2; it must be 1"),
            (OPS.gather_rows.default, {"source": torch.tensor(1.0), "index": index}, "source.rank is 0; it must be at least 1"),
            (OPS.gather_rows.default, {"source": gaps, "index": index}, "source", "cannot be viewed as one", "(6, 4, 2)"),
            (OPS.gather_rows.into, {"source": rows, "index": index, "target": rows[:2]}, "target", "overlaps source"),
            (OPS.scatter_rows.default, {"source": rows, "index": index, "target": wide}, "target.shape[1] is 9"),
            (OPS.concat.default, {"a": rows, "cu_a": offsets, "b": wide, "cu_b": offsets}, "b.shape[1] is 9"),
            (OPS.concat.default, {"a": rows, "cu_a": offsets, "b": rows.double(), "cu_b": offsets}, "b.dtype is torch.float64"),
            (OPS.split.default, {"packed": rows, "cu_a": offsets, "cu_b": offsets, "rows_a": 7}, "rows_a is 7"),
            (OPS.split.default, {"packed": rows, "cu_a": offsets, "cu_b": offsets[:2], "rows_a": 3}, "cu_b.shape[0] is 2"),
            (OPS.ragged_transpose.default, {"source": rows, "cu_seqlens": offsets, "length_multiple": 0}, "length_multiple is 0"),
            (OPS.ragged_transpose.into, {"source": rows, "cu_seqlens": offsets, "target": torch.zeros(47)}, "target.shape[0] is 47"),
            (OPS.convert.default, {"source": rows.int(), "dtype": torch.float16}, "source.dtype"),
            (OPS.convert.default, {"source": rows, "dtype": torch.int64}, "target.dtype"),
            (OPS.convert.default, {"source": rows, "dtype": torch.float16, "scale": torch.ones(2)}, "scale has 2 elements"),
            (OPS.convert.default, {"source": rows, "dtype": torch.float16, "scale": torch.ones(1).half()}, "scale.dtype"),
            (OPS.copy.default, {"source": rows, "flip": [2]}, "flip names dimension 2; it must lie in [-2, 2)"),
            (OPS.copy_.default, {"source": rows, "target": wide}, "target"),
            (OPS.copy_.default, {"source": rows, "target": torch.randn(6, 8).half()}, "target.dtype is torch.float16"),
        ]  # fmt: skip
        for op, arguments, *words in cases:
            with self.subTest(op=str(op), words=words):
                self.refuses(op, arguments, *words)

    def test_rope_names_the_argument(self):
        valid = append_arguments() | {"cos": torch.ones(8, 4), "sin": torch.zeros(8, 4)}
        for change, *words in [
            ({"style": "gptj"}, 'style is "gptj"; it must be one of halves interleaved'),
            ({"sin": torch.zeros(8, 3)}, "sin.shape[1] is 3"),
            ({"sin": torch.zeros(8, 4).half()}, "sin.dtype is torch.float16; it must equal that of cos"),
            ({"cos": torch.ones(8, 5), "sin": torch.zeros(8, 5)}, "cos.shape[1] is 5"),
        ]:
            with self.subTest(words=words):
                self.refuses(OPS.append_rope.default, valid | change, *words)

    def test_check_reports_what_the_device_found(self):
        arguments = append_arguments() | {"batch_index": torch.tensor([1, 7], dtype=torch.int32)}
        with self.assertRaisesRegex(RuntimeError, r"paged_append: batch_index is outside \[0, B\) \(index 1\)"):
            OPS.paged_append(**arguments, check=True)
        self.assertTrue(torch.equal(arguments["k_pages"][2, 0], arguments["k"][0]))  # the valid token was moved
        self.assertEqual(int(arguments["k_pages"].count_nonzero()), arguments["k"][0].numel())
        OPS.paged_append(**arguments)  # without it, the row is left out in silence

    def test_configure_refuses_unknown_choices(self):
        for option in ("arch", "emitter", "lowering"):
            with self.assertRaisesRegex(RuntimeError, f'configure: {option} is "nonsense"; it must be one of '):
                tailor.configure(**{option: "nonsense"})

    def test_faults_of_the_code_generator_reach_python(self):
        self.addCleanup(tailor.configure, cache_root="")
        tailor.configure(cache_root="", codegen_library="/nonexistent/libtailor_codegen.so")
        with self.assertRaisesRegex(RuntimeError, "tailor::paged_gather: unavailable: .*nonexistent"):
            OPS.paged_gather(**gather_arguments(), rows=6)


if __name__ == "__main__":
    unittest.main()
