"""Finds and loads libtailor_torch.so, which registers the operators."""

from pathlib import Path

import torch

_NAME = "libtailor_torch.so"


def load():
    package = Path(__file__).resolve().parent
    # Beside the package's modules when installed; <build folder>/lib for <build folder>/python/tailor.
    candidates = [package / "lib" / _NAME, package.parent.parent / "lib" / _NAME]
    for path in candidates:
        if path.exists():
            torch.ops.load_library(str(path))
            return
    raise ImportError(f"{_NAME} was not found; looked for {' and '.join(map(str, candidates))}")
