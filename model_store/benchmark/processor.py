"""The instruction sets that decide how fast a network is, and which of them this processor has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class InstructionSet:
    """A set: its name, the flags of /proc/cpuinfo that a processor with it has, and oneDNN's name for it.

    With `onednn` in ONEDNN_MAX_CPU_ISA, OpenVINO uses this set and older ones only. It ignores names that it does not
    know, and sets that the processor lacks.
    """

    name: str
    flags: frozenset[str]
    onednn: str


AVX2 = InstructionSet("AVX2", frozenset({"avx2", "fma"}), "AVX2")
AVX2_VNNI = InstructionSet("AVX2-VNNI", frozenset({"avx2", "avx_vnni"}), "AVX2_VNNI")
AVX512 = InstructionSet("AVX-512", frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl"}), "AVX512_CORE")
VNNI = InstructionSet("VNNI", AVX512.flags | {"avx512_vnni"}, "AVX512_CORE_VNNI")
BF16 = InstructionSet("bf16", AVX512.flags | {"avx512_bf16"}, "AVX512_CORE_BF16")
FP16 = InstructionSet("fp16", AVX512.flags | {"avx512_fp16"}, "AVX512_CORE_FP16")
AMX = InstructionSet("AMX", AVX512.flags | {"amx_int8", "amx_bf16"}, "AVX512_CORE_AMX")
ALL = (AVX2, AVX2_VNNI, AVX512, VNNI, BF16, FP16, AMX)


def processor_flags(file: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """What the first processor can do, as Linux names it; nothing on other systems and other architectures."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return frozenset()
    return frozenset(next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), []))


def instruction_sets(flags: frozenset[str]) -> tuple[InstructionSet, ...]:
    """The sets that a processor with these flags has, oldest first."""
    return tuple(entry for entry in ALL if entry.flags <= flags)
