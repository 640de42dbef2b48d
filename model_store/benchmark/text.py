"""A comparison as lines of text."""

from __future__ import annotations

import os

from model_store.benchmark.compare import ASPECT, Comparison, Row, Way
from model_store.benchmark.processor import instruction_sets, processor_flags
from model_store.benchmark.sampling import spread
from model_store.table import aligned

HEADINGS = ("PRECISION", "INSTRUCTIONS", "MS", "MAP@.5", "MAP@.5:.95", "KERNELS")


def to_text(comparison: Comparison, name: str) -> str:
    """What was measured and on which processor, a table with a row for each way, and what was left out and why."""
    sets = ", ".join(entry.name for entry in instruction_sets(processor_flags())) or "instruction sets that are unknown"
    rounds = len(next(iter(comparison.rows.values())).samples.seconds)
    width, height = comparison.size
    lines = [
        f"{name} on {os.cpu_count()} cores with {sets}",
        f"MS: the network alone, {width} x {height} (a picture of {ASPECT[0]}:{ASPECT[1]}), median of {rounds} rounds, "
        "quartiles in brackets; the rows take turns",
        _measure(comparison),
        "",
        aligned([HEADINGS, *(_cells(comparison, way, comparison.rows.get(way)) for way in comparison.ways)]),
    ]
    return "\n".join(lines)


def _measure(comparison: Comparison) -> str:
    """What the two columns of mAP say."""
    pictures, first = comparison.pictures, comparison.ways[0]
    if pictures.dataset is not None:
        return f"MAP: against the annotations of {len(pictures.files)} pictures"
    if comparison.rows[first].precision is None:
        return f"MAP: none, since the model finds nothing in {len(pictures.files)} pictures: give --images FOLDER"
    return f"MAP: agreement with the detections of the first row in {len(pictures.files)} pictures"


def _cells(comparison: Comparison, way: Way, row: Row | None) -> tuple[str, ...]:
    used = way.instructions.name if way.instructions else "all"
    if way.instructions is None and way.precision == comparison.served:
        used += ", as served here"
    if row is None:
        return (way.precision, used, "not on this processor", "", "", "")
    found = row.precision
    judged = (f"{found.map50:.4f}", f"{found.map50_95:.4f}") if found else ("-", "-")
    return (way.precision, used, spread(row.samples.to_json()), *judged, row.kernels)
