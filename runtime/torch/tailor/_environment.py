"""The environment of the process: the only place of the package that reads it."""

import os
from pathlib import Path

import torch


def cache_root():
    """TAILOR_CACHE_DIR, else $XDG_CACHE_HOME/tailor, else ~/.cache/tailor; "" where none is an absolute path."""
    for variable, below in (("TAILOR_CACHE_DIR", ""), ("XDG_CACHE_HOME", "tailor"), ("HOME", ".cache/tailor")):
        value = os.environ.get(variable, "")
        if os.path.isabs(value):
            return os.path.join(value, below) if below else value
    return ""


def library_folders():
    """Folders of TAILOR_LIBRARY_PATH, then those of the CUDA wheels beside torch."""
    folders = [folder for folder in os.environ.get("TAILOR_LIBRARY_PATH", "").split(":") if folder]
    wheels = Path(torch.__file__).parent.parent / "nvidia"
    return folders + sorted(str(folder) for folder in wheels.glob("*/lib") if any(folder.glob("lib*nv*JitLink*")))
