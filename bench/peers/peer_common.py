"""What the modules of the single peers share: the problem, the build folder, the compiler."""
import dataclasses
import hashlib
import re
import subprocess
from pathlib import Path

DTYPES = {  # name -> bytes, type in CUDA C++, type in Triton
    "bf16": (2, "__nv_bfloat16", "bf16"), "f16": (2, "half", "fp16"), "f32": (4, "float", "fp32"),
    "f64": (8, "double", "fp64"), "fp8_e4m3": (1, "__nv_fp8_e4m3", "fp8e4nv"),
}
MULTIPROCESSORS = 132
ARCH = "sm_90a"


class Refused(Exception):
    """The peer does not take the shape; the message is its own rule."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """One launch: the same words as the flags of `tailor run`."""
    op: str
    heads: int
    head_dim: int
    dtype: str
    page_size: int
    seq_lens: tuple
    tokens: int = 0
    layout: str = "nhd"
    misalign: int = 0
    pad_row: int = 0

    @property
    def element(self):
        return DTYPES[self.dtype][0]

    @property
    def row(self):
        return self.heads * self.head_dim

    @property
    def row_stride(self):
        return self.row + self.pad_row

    @property
    def rows(self):
        return sum(self.seq_lens)

    @property
    def columns(self):  # of the block table; exact for gathers, whose lengths are final
        return max(1, max(-(-length // self.page_size) for length in self.seq_lens))

    @property
    def pool_strides(self):
        """(page, slot, head) in elements."""
        page = self.page_size * self.row
        if self.layout == "nhd":
            return page, self.row, self.head_dim
        return page, self.head_dim, self.page_size * self.head_dim

    def aligned(self, bytes_):
        """Whether every row and head of every operand begins on a multiple of `bytes_`."""
        offsets = [self.misalign, self.row_stride * self.element, self.head_dim * self.element]
        return all(offset % bytes_ == 0 for offset in offsets)

    def workload(self):
        return dataclasses.asdict(self)


class Folder:
    """The build folder of the peers: packages, generated sources, PTX."""

    def __init__(self, root):
        self.root = Path(root)
        self.python = self.root / "venv/bin/python"
        found = sorted(self.root.glob("venv/lib/python3*/site-packages"))
        if not found:
            raise SystemExit(f"{root} has no venv; run bench/peers/prepare {root}")
        self.packages = found[0]
        self.cuda = self.packages / "nvidia/cu13"
        self.vllm = self.root / "vllm"
        self.work = self.root / "work"
        self.work.mkdir(exist_ok=True)

    def version(self, package):
        return next(self.packages.glob(f"{package}-*.dist-info")).name[len(package) + 1:-len(".dist-info")]

    def vllm_version(self):
        return re.search(r"^Version: (.*)$", (self.vllm / "PKG-INFO").read_text(), re.M).group(1)

    def compile(self, source, includes, flags=()):
        """Text of a .cu file -> path of its PTX."""
        name = hashlib.sha256((source + str(flags)).encode()).hexdigest()[:16]
        ptx = self.work / f"{name}.ptx"
        if not ptx.exists():
            file = self.work / f"{name}.cu"
            file.write_text(source)
            run([self.cuda / "bin/nvcc", "-std=c++17", "-O3", f"-arch={ARCH}", "-ptx", *flags,
                 *[f"-I{folder}" for folder in includes], file, "-o", f"{ptx}.part"])
            Path(f"{ptx}.part").rename(ptx)
        return ptx

    def program(self, source, includes):
        """Text of a .cu file -> path of a host program."""
        name = hashlib.sha256(source.encode()).hexdigest()[:16]
        binary = self.work / f"{name}.bin"
        if not binary.exists():
            file = self.work / f"{name}.cu"
            file.write_text(source)
            run([self.cuda / "bin/nvcc", "-std=c++17", "-arch=sm_90", *[f"-I{folder}" for folder in includes], file,
                 f"-L{self.cuda}/lib", "-o", f"{binary}.part"])
            Path(f"{binary}.part").rename(binary)
        return binary

    def registers(self, ptx):
        """Registers per thread as ptxas allots them."""
        said = run([self.cuda / "bin/ptxas", f"-arch={ARCH}", "-v", ptx, "-o", "/dev/null"])
        return int(re.search(r"Used (\d+) registers", said).group(1))


def run(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def entry_of(ptx, name):
    """The one entry whose symbol contains `name`."""
    found = [symbol for symbol in re.findall(r"\.entry\s+([\w$]+)", ptx.read_text()) if name in symbol]
    if len(found) != 1:
        raise SystemExit(f"{ptx}: entries with '{name}': {found}")
    return found[0]


def blocks_per_multiprocessor(threads, registers):
    """CUDA's occupancy rule without shared memory: 64 warps, 32 blocks, 65536 registers dealt 256 to a warp."""
    warps = -(-threads // 32)
    per_warp = -(-registers * 32 // 256) * 256
    return min(32, 64 // warps, 65536 // per_warp // warps)


def pointer(name):
    return {"pointer": name}


def i32(value):
    return {"i32": value}


def i64(value):
    return {"i64": value}
