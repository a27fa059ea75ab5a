"""Every operator gives what plain torch gives, for random ragged problems with gaps, odd sizes and empty extents.

On CPU tensors, and on CUDA tensors where there is a GPU.
"""

import unittest

import torch

from problems import PROBLEMS
from support import DTYPES, TorchTest


class Results(TorchTest):
    def run_and_compare(self, problem):
        inputs = [(a, a.clone()) for a in problem.args if isinstance(a, torch.Tensor)]
        check = {"check": True} if any(a.name == "check" for a in problem.op._schema.arguments) else {}
        results = problem.op(*problem.args, **problem.kwargs, **check)
        results = () if results is None else results if isinstance(results, (tuple, list)) else (results,)
        self.assertEqual(len(results), len(problem.results))
        for actual, expected in zip(results, problem.results):
            self.assert_same_bits(actual.cpu(), expected)
            self.moved += actual.numel()
        for storage, expected in problem.written:
            self.assert_same_bits(storage.cpu(), expected)
            self.moved += storage.numel()
        if not problem.written:
            for after, before in inputs:
                self.assert_same_bits(after, before)


    def test_unpack_fills_with_the_elements_bits(self):
        empty = torch.tensor([0, 0], dtype=torch.int32)
        for dtype in DTYPES:
            for fill in (0.0, -0.0, 1.0, -1.0, 0.1, 3.0, 200.0, 1e5, -(2.0**63), float("inf"), float("nan")):
                packed = torch.zeros((0, 3), dtype=dtype)
                with self.subTest(dtype=dtype, fill=fill):
                    whole = not dtype.is_floating_point and not dtype.is_complex
                    expected = torch.tensor([fill], dtype=torch.float64).to(dtype)
                    if whole and (fill != fill or expected.to(torch.float64).item() != fill):
                        with self.assertRaisesRegex(RuntimeError, "unpack: fill is "):
                            torch.ops.tailor.unpack(packed, empty, 2, fill)
                        continue
                    padded = torch.ops.tailor.unpack(packed, empty, 2, fill)
                    if fill != fill:
                        self.assertTrue(padded.to(torch.float64).isnan().all())
                    else:
                        self.assert_same_bits(padded, expected.expand(1, 2, 3).contiguous())

    def test_tensors_without_dimensions(self):
        number = torch.tensor(2.5)
        self.assert_same_bits(torch.ops.tailor.copy(number), number)
        self.assert_same_bits(torch.ops.tailor.convert(number, torch.float16), number.half())
        self.assert_same_bits(torch.ops.tailor.convert(number, torch.float32, torch.tensor(2.0)), number * 2)

    def test_lazily_conjugated_and_negated_views_are_made_real_first(self):
        rows, index = torch.randn(4, 6, dtype=torch.complex64), torch.tensor([3, 0])
        self.assert_same_bits(torch.ops.tailor.gather_rows(rows.conj(), index), rows.conj()[index].resolve_conj())
        imaginary = rows.conj().imag  # a view with the negative bit
        self.assertTrue(imaginary.is_neg())
        self.assertTrue(torch.equal(torch.ops.tailor.copy(imaginary), imaginary.clone()))

    def test_gradients_are_refused(self):
        rows = torch.randn(4, 6, requires_grad=True)
        moved = torch.ops.tailor.gather_rows(rows, torch.tensor([3, 0]))
        with self.assertWarnsRegex(UserWarning, "autograd kernel was not registered"):
            try:
                moved.sum().backward()
            except RuntimeError:
                pass

    def test_convert_keeps_nan_and_saturates_only_to_fp8(self):
        extremes = torch.tensor([[float("nan"), float("inf"), -float("inf"), 1e30, -1e30, 0.0, -0.0]])
        for dtype in (torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
            converted = torch.ops.tailor.convert(extremes, dtype).float()[0]
            largest = torch.finfo(dtype).max if dtype.itemsize == 1 else float("inf")
            finite = 1e30 if dtype == torch.bfloat16 else largest
            self.assertTrue(converted[0].isnan())
            self.assertEqual(converted[1:3].tolist(), [largest, -largest])
            torch.testing.assert_close(converted[3:5], torch.tensor([finite, -finite]), rtol=0.01, atol=0)
            self.assertEqual([str(x) for x in converted[5:].tolist()], ["0.0", "-0.0"])


def _case(name):
    def test(self):
        for device in ["cpu"] + ["cuda"] * torch.cuda.is_available():
            self.moved = 0
            for seed in range(25):
                with self.subTest(device=device, seed=seed):
                    self.run_and_compare(PROBLEMS[name](self.rng(seed)).on(device))
            self.assertGreater(self.moved, 500)  # not all of them were empty

    return test


for _name in PROBLEMS:
    setattr(Results, "test_" + _name.replace(".", "_"), _case(_name))

if __name__ == "__main__":
    unittest.main()
