"""Threads, forked children, the disk cache, and what `stats` says."""

import os
import tempfile
import threading
import unittest

import torch

import tailor
from problems import PROBLEMS
from support import Rng, TorchTest


class Process(TorchTest):
    def test_threads_get_what_one_thread_gets(self):
        faults = []

        def work(thread):
            try:
                names = sorted(PROBLEMS)
                rng = Rng(thread % 2)  # pairs of threads meet the same keys at the same time
                for _ in range(40):
                    problem = PROBLEMS[rng.choice(names)](rng)
                    results = problem.op(*problem.args, **problem.kwargs)
                    results = () if results is None else results if isinstance(results, (tuple, list)) else (results,)
                    for actual, expected in zip(results, problem.results):
                        self.assert_same_bits(actual, expected)
                    for storage, expected in problem.written:
                        self.assert_same_bits(storage, expected)
            except BaseException as fault:
                faults.append(fault)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(faults, [])

    def test_threads_write_disjoint_parts_of_one_storage(self):
        pool = torch.zeros(2, 8, 4, 2, 16)
        token = torch.ones(8 * 4, 2, 16)
        table = torch.arange(8, dtype=torch.int32).view(1, 8)
        position, batch_index = torch.arange(32, dtype=torch.int32), torch.zeros(32, dtype=torch.int32)

        def work(part):
            pages = pool[part]
            for _ in range(20):
                torch.ops.tailor.paged_append(token, token, batch_index, position, pages, torch.zeros_like(pages), table)

        threads = [threading.Thread(target=work, args=(part,)) for part in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertTrue(torch.equal(pool, torch.ones_like(pool)))

    def gather(self):
        pages = torch.randn(2, 4, 1, 24)
        table = torch.tensor([[1, 0]], dtype=torch.int32)
        length = torch.tensor([6], dtype=torch.int32)
        packed = torch.ops.tailor.paged_gather(pages, table, length, torch.tensor([0, 6], dtype=torch.int32), 6)
        self.assertTrue(torch.equal(packed, torch.cat([pages[1], pages[0, :2]])))

    def test_a_forked_child_works(self):
        self.gather()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                self.gather()
                code = 0
            finally:
                os._exit(code)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.gather()

    def test_stats_tell_where_kernels_came_from(self):
        with tempfile.TemporaryDirectory() as folder:
            tailor.configure(cache_root=folder)
            self.assertEqual(tailor.stats("cpu"), {})
            self.gather()
            self.gather()
            stats = tailor.stats("cpu")
            self.assertEqual((stats["launches"], stats["kernels_compiled"]), (2, 1))
            self.assertEqual(stats["launches_by_tier"], {"memory": 1, "disk": 0, "compiled": 1})
            tailor.configure(cache_root=folder)
            self.gather()
            stats = tailor.stats("cpu")
            self.assertEqual((stats["launches"], stats["kernels_compiled"]), (1, 0))
            self.assertEqual(stats["launches_by_tier"], {"memory": 0, "disk": 1, "compiled": 0})
        tailor.configure(cache_root="")

    def test_every_emitter_and_architecture_moves_the_same_bytes(self):
        for arch in ("sm_80", "sm_90a"):
            for emitter in ("llvm", "nvrtc"):
                for lowering in ("tail", "guarded", "pow2-mask"):
                    with self.subTest(arch=arch, emitter=emitter, lowering=lowering):
                        tailor.configure(cache_root="", arch=arch, emitter=emitter, lowering=lowering)
                        self.gather()
        tailor.configure(cache_root="")


if __name__ == "__main__":
    unittest.main()
