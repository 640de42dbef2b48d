"""The figures in the documents are those that the benchmarks measured."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.checkout import ROOT
from model_store.benchmark.sampling import spread
from serving.contract import STEPS
from tests.test_docs import PAGES, table


def measured(name: str) -> Any:
    """The figures of one benchmark."""
    return json.loads((ROOT / "bench" / f"{name}.json").read_text())


BENCH, COLD, GENERATOR, PRECISION = (measured(name) for name in ("bench", "cold", "generator", "precision"))
W6 = BENCH["variants"]["yolov7-w6"]


def test_how_fast_has_the_measured_rows_in_order_with_their_ratios() -> None:
    labels = {
        "(a) old design: checkpoint read per request, torch fp32":
            "old design: read the checkpoint for every request, torch fp32",
        "(b) torch fp32, resident": "torch fp32, kept in memory",
        "(e) this service": "this service",
    }  # fmt: skip
    ours = W6["requests"]["(e) this service"]["median_ms"]
    expected = [
        [labels[name], spread(value, 0), f"{value['median_ms'] / ours:.1f} x"]
        for name, value in W6["requests"].items()
        if name in labels
    ]
    expected[-1][-1] = "1"
    assert table("README.md", "YOLOv7-W6, a whole request with a 0.5 MB picture of 4:3") == expected


def test_cold_starts_have_the_measured_rows_in_order() -> None:
    rows = {
        "old design: imports torch, reads the checkpoint for every request": ("old design", "total"),
        "before optimisation: imports and starts everything in sequence": ("before optimisation", "total"),
        "this function": ("this function", "total"),
        "init of this function": ("this function", "init"),
    }
    subjects = [COLD["subjects"][name]["cold"] for name in ("yolov7-w6", "yolov7-tiny", "bundled")]
    expected = [
        [label, *(spread(cold[function][part], 0) if function in cold else "" for cold in subjects)]
        for label, (function, part) in rows.items()
    ]
    assert table("docs/lambda.md", "from process start to first response, ms") == expected


def whole_request_figures() -> list[str]:
    """README.md: the steps besides detect, and the network compared with the machine's peak."""
    rest = sum(W6["steps"][name] for name in (*STEPS, "http") if name != "detect")
    share = W6["engines"]["(e) this service"]["median_ms"] / W6["limit_ms"]
    return [f"{rest:.0f} ms", f"{share:.2f} times", f"commit {BENCH['about']['commit']}"]


def cold_start_figures() -> list[str]:
    """docs/lambda.md: the upper bound of the speed-up, and a warm request."""
    cold, warm = (COLD["subjects"]["yolov7-w6"][kind] for kind in ("cold", "warm"))
    ours = {part: samples["median_ms"] for part, samples in cold["this function"].items()}
    old, emulator = cold["old design"]["total"]["median_ms"], ours["total"] - ours["init"] - ours["first request"]
    low, high = warm["rest"]["quartiles_ms"]
    return [
        f"{ours['detect']:.0f} ms and the emulator {emulator:.0f} ms",
        f"bound of its speed-up over the old design is {old / (emulator + ours['detect']):.1f}x",
        f"reaches {old / ours['total']:.1f}x",
        f"{warm['rest']['median_ms']:.0f} ms [{low:.0f}, {high:.0f}]",
        f"commit {COLD['about']['commit']}",
    ]


def precision_figures() -> list[str]:
    """docs/models.md: int8 compared with fp16 and fp32, and one model for all shapes."""
    variants = PRECISION["variants"]
    ms = {name: value["median_ms"] for name, value in variants["yolov7-w6"]["precisions"].items()}
    one, many = (variants["yolov7-w6"]["shapes"][name] for name in ("one dynamic model", "a model compiled per shape"))
    tiny = [value["later"]["median_ms"] for value in variants["yolov7-tiny"]["shapes"].values()]
    compiling = many["first_of_a_shape"]["median_ms"] - many["later"]["median_ms"]
    return [
        f"{ms['int8']:.0f} ms where fp16 takes {ms['fp16, as served']:.0f} and fp32 {ms['fp32']:.0f}",
        f"{ms['int8, no AMX, no bfloat16']:.0f} ms with AMX and bf16 disabled, where fp32 takes "
        f"{ms['fp32, no AMX, no bfloat16']:.0f}",
        f"{1 - one['later']['median_ms'] / many['later']['median_ms']:.0%} faster on YOLOv7-W6",
        f"{tiny[0] - tiny[1]:.0f} ms slower on YOLOv7-tiny",
        f"{compiling / 1000:.1f} s of compiling",
        f"{one['memory_mb_all_shapes'] / 1000:.1f} GB after eight shapes",
        f"{many['memory_mb_all_shapes'] / 1000:.1f} GB",
        f"commit {PRECISION['about']['commit']}",
    ]


def generator_figures() -> list[str]:
    """loadtest/README.md: JMeter compared with a bare client, and reports."""
    bare, jmeter = (
        {users: found[name]["median_ms"] for users, found in GENERATOR["clients"].items()}
        for name in ("bare client", "JMeter")
    )
    reports = {size: found["median_ms"] / 1000 for size, found in GENERATOR["reports"].items()}
    peak = GENERATOR["reports"]["1000000"]["peak_bytes"] / 1e9
    return [
        f"{jmeter['18'] / bare['18'] - 1:.1%}",
        f"{jmeter['18']:.0f} against {bare['18']:.0f} ms",
        f"{jmeter['1'] - bare['1']:.1f} ms to {bare['1']:.1f} ms",
        f"{reports['1000000']:.1f} s and {peak:.2f} GB",
        f"a hundred thousand {reports['100000']:.1f} s",
        f"ten thousand {reports['10000']:.1f} s",
    ]


FIGURES = [
    (page, figure)
    for page, figures in {
        "README.md": whole_request_figures(),
        "docs/lambda.md": cold_start_figures(),
        "docs/models.md": precision_figures(),
        "loadtest/README.md": generator_figures(),
    }.items()
    for figure in figures
]


@pytest.mark.parametrize(("page", "figure"), FIGURES)
def test_a_page_has_the_measured_figure(page: str, figure: str) -> None:
    assert figure in " ".join(PAGES[page].split())
