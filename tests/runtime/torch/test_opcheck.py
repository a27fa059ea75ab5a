"""torch.library.opcheck: schemas tell what is written, fake kernels agree with the real ones, dynamic shapes trace."""

import unittest

import torch
from torch.library import opcheck

from problems import PROBLEMS
from support import TorchTest

# opcheck compares with torch.allclose: no NaN, which random bits of floats are, and no float8.
COMPARABLE = [torch.uint8, torch.int16, torch.int32, torch.int64]


class Opcheck(TorchTest):
    def check(self, problem):
        # It also copies arguments by their strides, which it cannot when there are gaps but no elements.
        dense = [a.new_empty(a.shape) if isinstance(a, torch.Tensor) and a.numel() == 0 else a for a in problem.args]
        opcheck(problem.op, dense, problem.kwargs)


    def test_every_operator_has_problems(self):
        names = {name.removeprefix("tailor::") for name in torch._C._dispatch_get_all_op_names() if "tailor::" in name}
        self.assertEqual(names - {"configure", "stats"}, set(PROBLEMS))


def _case(name):
    def test(self):
        for seed in range(2):
            with self.subTest(seed=seed):
                self.check(PROBLEMS[name](self.rng(seed, COMPARABLE)))

    return test


for _name in PROBLEMS:
    setattr(Opcheck, "test_" + _name.replace(".", "_"), _case(_name))

if __name__ == "__main__":
    unittest.main()
