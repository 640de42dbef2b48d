"""The processor of this machine: its model and the widest instruction set that networks use."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
MAX_BYTES = 16_384  # All that is read of it: the first core takes some 2 KB.
MAX_NAME = 80

AVX512_BF16 = "AVX-512 BF16"

# The flags of a set, and its name, the widest first. OpenVINO chooses its kernels in this order.
X86 = (
    ({"amx_tile", "amx_int8", "amx_bf16"}, "AMX"),
    ({"avx512f", "avx512_bf16"}, AVX512_BF16),
    ({"avx512f", "avx512_vnni"}, "AVX-512 VNNI"),
    ({"avx512f", "avx512bw", "avx512vl", "avx512dq"}, "AVX-512"),
    ({"avx2", "avx_vnni"}, "AVX2 VNNI"),
    ({"avx2"}, "AVX2"),
    ({"sse4_2"}, "SSE4.2"),
)
# The extensions of arm64 that networks use.
ARM64 = ("bf16", "i8mm", "sve")
# https://github.com/torvalds/linux/blob/master/arch/arm64/include/asm/cputype.h
ARM_CORES = {
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x41", "0xd84"): "Neoverse-V3",
}
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Processor:
    """The model of a processor and its instruction set, e.g. `AVX-512 VNNI` or `NEON bf16 i8mm`; both printable."""

    model: str
    isa: str

    def __str__(self) -> str:
        return f"{self.model}, {self.isa}"


def read_processor(file: Path = CPUINFO) -> Processor:
    """The processor that a file like /proc/cpuinfo describes; a field that is not there is `unknown`."""
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_BYTES).decode("ascii", "replace")
    except OSError:
        text = ""
    # The first value of each field is that of the first core.
    found: dict[str, str] = {}
    for line in text.split("\n"):
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return Processor(_model(found), _isa(found))


def _model(found: dict[str, str]) -> str:
    core = (found.get("CPU implementer", ""), found.get("CPU part", ""))
    by_number = f"CPU implementer {core[0]} part {core[1]}" if all(core) else ""
    name = found.get("model name") or ARM_CORES.get(core) or by_number or platform.processor()
    # A hypervisor may write anything there.
    return " ".join(re.sub(r"[^\x20-\x7e]", " ", name).split())[:MAX_NAME].strip() or UNKNOWN


def _isa(found: dict[str, str]) -> str:
    flags = set(found.get("flags", "").split())
    for needed, name in X86:
        if needed <= flags:
            return name
    features = set(found.get("Features", "").split())
    if "asimd" not in features:
        return UNKNOWN
    return " ".join(["NEON", *(name for name in ARM64 if name in features)])
