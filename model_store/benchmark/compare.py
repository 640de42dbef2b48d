"""Compare the precisions and instruction sets in which a model can be computed: time, and mAP or agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import openvino as ov

from detection.card import read_card
from detection.letterbox import fit
from model_store.benchmark.pictures import Pictures, Source
from model_store.benchmark.process import Worker
from model_store.benchmark.processor import AVX2, AVX2_VNNI, AVX512, VNNI, InstructionSet, processor_flags
from model_store.benchmark.sampling import Samples, interleaved
from model_store.errors import BenchmarkError
from model_store.evaluate import CocoBox, Precision

ASPECT = (4, 3)
FEWEST_ROUNDS, MOST_ROUNDS = 3, 1000
FEWEST_PICTURES, MOST_PICTURES = 8, 500

# OpenVINO's precision of each row that is not int8, and the capability that the processor must have for it.
HINTS = {"fp32": ("f32", "FP32"), "bf16": ("bf16", "BF16"), "fp16": ("f16", "FP16")}


@dataclass(frozen=True)
class Way:
    """A precision, with the newest instructions that may be used; without them with all that the processor has."""

    precision: str
    instructions: InstructionSet | None = None

    def __str__(self) -> str:
        """The way's name in progress and errors."""
        return f"{self.precision}, {self.instructions.name}" if self.instructions else self.precision

    @property
    def hint(self) -> str | None:
        """OpenVINO's hint. With bounded instructions it still chooses bf16 where the processor has it: hence f32."""
        if self.precision == "int8":
            return "f32" if self.instructions else None
        return HINTS[self.precision][0]

    def possible(self, flags: frozenset[str], capabilities: Sequence[str]) -> bool:
        """Whether a processor with these flags and OpenVINO's capabilities computes this way."""
        if self.instructions:
            return self.instructions.flags <= flags
        return self.precision == "int8" or HINTS[self.precision][1] in capabilities


FLOATS = (Way("fp32"), Way("bf16"), Way("fp16"), Way("fp32", AVX512), Way("fp32", AVX2))
INT8 = (Way("int8"), Way("int8", VNNI), Way("int8", AVX2_VNNI), Way("int8", AVX512), Way("int8", AVX2))


@dataclass(frozen=True)
class Row:
    """What one way measured, and the kernel of most convolutions."""

    samples: Samples
    precision: Precision | None
    kernels: str


@dataclass(frozen=True)
class Comparison:
    """All ways to compute a model, the rows of those that this processor can compute, and what judged them.

    `served` is the precision that the service chooses; `size` is width and height of the timed input.
    """

    ways: tuple[Way, ...]
    rows: dict[Way, Row]
    served: str
    size: tuple[int, int]
    pictures: Pictures


def kind_of(way: Way) -> str:
    """The model that a way needs: `float` or `int8`."""
    return "int8" if way.precision == "int8" else "float"


def ways_of(folders: Mapping[str, Path]) -> tuple[Way, ...]:
    """The ways to compute the models at hand: `float`, `int8`, or both."""
    return (FLOATS if "float" in folders else ()) + (INT8 if "int8" in folders else ())


def compare(folders: Mapping[str, Path], source: Source, seconds: float) -> Comparison:
    """Time every way in turns, then judge each by the same pictures; `seconds` bound both parts of each row.

    The first way is the reference when the pictures have no annotations. Raises BenchmarkError and PicturesError.
    """
    card = read_card(next(iter(folders.values())))
    box = fit(*ASPECT, card.input_size, card.stride)
    capabilities = ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    ways, flags = ways_of(folders), processor_flags()
    with ExitStack() as stack:
        workers: dict[Way, Worker] = {}
        possible = [way for way in ways if way.possible(flags, capabilities)]
        for way in possible:
            folder = folders[kind_of(way)]
            workers[way] = stack.enter_context(Worker(folder, hint=way.hint, instructions=way.instructions))
            needed_mb = workers[way].infer(box.width, box.height)["memory_mb"]
            _check_memory(needed_mb, len(possible) - len(workers))
        calls = {str(way): partial(worker.infer, box.width, box.height) for way, worker in workers.items()}
        times = interleaved(calls, MOST_ROUNDS, fewest=FEWEST_ROUNDS, within_s=seconds * len(calls))
        slowest_s = max(samples.median_ms for samples in times.values()) / 1000
        pictures = source(min(MOST_PICTURES, max(FEWEST_PICTURES, int(seconds / slowest_s))))
        rows: dict[Way, Row] = {}
        # Random weights find nothing to agree with, and their thousands of weak boxes take minutes.
        skipped = card.random and pictures.dataset is None
        reference = [] if skipped else _boxes(workers[possible[0]].detections(pictures.files))
        for way, worker in workers.items():
            precision = None
            if pictures.can_judge(reference):
                found = reference if way == possible[0] else _boxes(worker.detections(pictures.files))
                precision = pictures.judge(found, reference, card.labels)
            rows[way] = Row(times[str(way)], precision, worker.facts()["kernels"])
    return Comparison(ways, rows, served(folders), (box.width, box.height), pictures)


def _check_memory(needed_mb: float, more: int) -> None:
    """Raise BenchmarkError when the machine has no memory for more processes like one that needs so much."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return
    free_mb = next(int(line.split()[1]) / 1000 for line in lines if line.startswith("MemAvailable"))
    if more * needed_mb > free_mb:
        raise BenchmarkError(
            f"{more} more processes of {needed_mb:.0f} MB each do not fit into {free_mb:.0f} MB of free memory: "
            "stop other programs, or take a machine with more"
        )


def _boxes(pictures: Sequence[Sequence[Sequence[float]]]) -> list[CocoBox]:
    """A worker's detections; a picture's number is its image id."""
    return [
        CocoBox(number, int(row[0]), np.array(row[1:5]), row[5]) for number, rows in enumerate(pictures) for row in rows
    ]


def served(folders: Mapping[str, Path]) -> str:
    """The precision in which the service computes the first of the models here: fp32, bf16, fp16 or int8."""
    kind, folder = next(iter(folders.items()))
    if kind == "int8":
        return kind
    with Worker(folder) as worker:
        chosen = worker.facts()["precision"]
    return next(name for name, (hint, _) in HINTS.items() if hint == chosen)
