"""The model and the instruction set of a processor, from what Linux says."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from detection.processor import CPUINFO, MAX_BYTES, read_processor

AVX512 = "sse4_2 avx2 avx512f avx512dq avx512bw avx512vl"

# What /proc/cpuinfo says, and the processor.
EXAMPLES = {
    "Broadwell": ("model name\t: Intel(R) Xeon(R) CPU E5-2686 v4\nflags\t\t: sse4_2 avx avx2\n", "AVX2"),
    "Cascade Lake": (f"model name\t: Intel(R) Xeon(R) 8259CL\nflags\t\t: {AVX512} avx512_vnni\n", "AVX-512 VNNI"),
    "Skylake": (f"model name\t: Intel(R) Xeon(R) 8175M\nflags\t\t: {AVX512}\n", "AVX-512"),
    "Genoa": (f"model name\t: AMD EPYC 9R14\nflags\t\t: {AVX512} avx512_vnni avx512_bf16\n", "AVX-512 BF16"),
    "Sapphire Rapids": (
        f"model name\t: Intel(R) Xeon(R) 8488C\nflags\t\t: {AVX512} avx512_bf16 amx_bf16 amx_tile amx_int8\n", "AMX",
    ),
    "Alder Lake": ("model name\t: 12th Gen Intel(R)\nflags\t\t: sse4_2 avx2 avx_vnni\n", "AVX2 VNNI"),
    "an old one": ("model name\t: Intel(R) Xeon(R) X5550\nflags\t\t: sse4_2\n", "SSE4.2"),
}  # fmt: skip


def described(folder: Path, text: str | bytes) -> Path:
    file = folder / "cpuinfo"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_widest_instruction_set_is_found(name: str, tmp_path: Path) -> None:
    text, isa = EXAMPLES[name]
    model = text.partition("\n")[0].partition(": ")[2]
    found = read_processor(described(tmp_path, f"processor\t: 0\n{text}"))
    assert (found.model, found.isa, str(found)) == (model, isa, f"{model}, {isa}")


ARM = "processor\t: 0\nBogoMIPS\t: 243.75\nFeatures\t: {features}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n"


@pytest.mark.parametrize(
    ("part", "features", "shown"),
    [
        ("0xd0c", "fp asimd evtstrm aes asimddp", "Neoverse-N1, NEON"),
        ("0xd40", "fp asimd sve svebf16 i8mm bf16", "Neoverse-V1, NEON bf16 i8mm sve"),
        ("0xfff", "fp asimd", "CPU implementer 0x41 part 0xfff, NEON"),
    ],
)
def test_an_arm64_processor_has_no_model_name_but_numbers(part: str, features: str, shown: str, tmp_path: Path) -> None:
    assert str(read_processor(described(tmp_path, ARM.format(part=part, features=features)))) == shown


@pytest.mark.parametrize("text", ["", "no colon\n", ":\n:::\n", b"\xff\x00\n\xfe"])
def test_what_is_not_there_is_unknown(text: str | bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "processor", lambda: "")
    assert str(read_processor(described(tmp_path, text))) == "unknown, unknown"
    assert str(read_processor(tmp_path / "none")) == "unknown, unknown"


def test_a_name_is_short_and_printable(tmp_path: Path) -> None:
    found = read_processor(described(tmp_path, "model name\t: Xeon\x1b[31m\u202e   X\r" + "y" * 500 + "\n"))
    assert found.model.isascii() and found.model.isprintable()
    assert len(found.model) == 80
    assert found.model.startswith("Xeon [31m X")


def test_only_the_first_bytes_are_read(tmp_path: Path) -> None:
    cores = "model name\t: first\n" + "x" * MAX_BYTES + "\nflags\t: avx2\n"
    assert str(read_processor(described(tmp_path, cores))) == "first, unknown"


@pytest.mark.skipif(not CPUINFO.is_file(), reason="there is no /proc/cpuinfo")
def test_this_machine_is_known() -> None:
    assert "unknown" not in str(read_processor())
