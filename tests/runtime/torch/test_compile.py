"""torch.compile with dynamic shapes traces every operator without a graph break and gives what the plain call gives."""

import unittest

import torch
from torch._dynamo.testing import CompileCounterWithBackend

from problems import PROBLEMS
from support import TorchTest


class Compile(TorchTest):
    def setUp(self):
        torch._dynamo.reset()

    def check(self, op, problems):
        compiled = torch.compile(lambda *args, **kwargs: op(*args, **kwargs), dynamic=True, fullgraph=True,
                                 backend="aot_eager")  # fmt: skip
        for problem in problems:
            results = compiled(*problem.args, **problem.kwargs)
            results = () if results is None else results if isinstance(results, (tuple, list)) else (results,)
            self.assertEqual(len(results), len(problem.results))
            for actual, expected in zip(results, problem.results):
                self.assert_same_bits(actual, expected)
            for storage, expected in problem.written:
                self.assert_same_bits(storage, expected)

    def test_one_dynamic_graph_serves_all_sizes(self):
        def append_then_gather(k, v, batch_index, position, k_pages, v_pages, block_table, seq_lens, cu_seqlens):
            torch.ops.tailor.paged_append(k, v, batch_index, position, k_pages, v_pages, block_table)
            return torch.ops.tailor.paged_gather(k_pages, block_table, seq_lens, cu_seqlens, k.shape[0]) * 2

        counter = CompileCounterWithBackend("aot_eager")
        compiled = torch.compile(append_then_gather, dynamic=True, fullgraph=True, backend=counter)
        for tokens in (5, 7, 12, 16):
            k = torch.randn(tokens, 2, 8)
            k_pages = torch.zeros(6, 4, 2, 8)
            inputs = (
                k, k, torch.zeros(tokens, dtype=torch.int32), torch.arange(tokens, dtype=torch.int32),
                k_pages, torch.zeros_like(k_pages), torch.tensor([[5, 2, 0, 3]], dtype=torch.int32),
                torch.tensor([tokens], dtype=torch.int32), torch.tensor([0, tokens], dtype=torch.int32),
            )  # fmt: skip
            self.assertTrue(torch.equal(compiled(*inputs), k * 2))
        self.assertEqual(counter.frame_count, 1)

    def test_what_an_operator_writes_is_seen_by_what_follows(self):
        def scatter_then_read(source, index, target):
            before = target.sum()
            torch.ops.tailor.scatter_rows(source, index, target)
            return before, torch.ops.tailor.gather_rows(target, index), target.sum()

        compiled = torch.compile(scatter_then_read, dynamic=True, fullgraph=True, backend="aot_eager")
        for rows in (3, 8):
            source, index, target = torch.randn(rows, 5), torch.randperm(rows + 2)[:rows], torch.zeros(rows + 2, 5)
            before, read, after = compiled(source, index, target)
            self.assertEqual(before.item(), 0)
            self.assertTrue(torch.equal(read, source))
            torch.testing.assert_close(after, source.sum())


def _case(name):
    def test(self):
        problems = [PROBLEMS[name](self.rng(seed)) for seed in range(6)]
        self.check(problems[0].op, problems)

    return test


for _name in PROBLEMS:
    setattr(Compile, "test_" + _name.replace(".", "_"), _case(_name))

if __name__ == "__main__":
    unittest.main()
