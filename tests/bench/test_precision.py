"""The page of precisions and shapes."""

from __future__ import annotations

import json

from bench.precision import WAYS, possible, to_markdown
from local.checkout import ROOT
from tests.bench.test_report import ABOUT, figures

BASELINE = "fp32, no AMX, no bfloat16"
RESULT = {
    "about": ABOUT,
    "variants": {
        "yolov7-tiny": {
            "precisions": {"int8": figures(25), BASELINE: figures(100)},
            "shapes": {
                "one dynamic model": {
                    "first_of_a_shape": figures(734), "later": figures(717),
                    "memory_mb_one_shape": 702, "memory_mb_all_shapes": 915,
                }
            },
        }
    },
}  # fmt: skip

TABLES = f"""\
## yolov7-tiny, a 4:3 picture

| precision | ms | speed-up over fp32 without AMX and bfloat16 |
|---|---|---|
| int8 | 25.0 [24.0, 26.0] | 4.00 |
| {BASELINE} | 100.0 [99.0, 101.0] | 1.00 |

| 8 shapes in turn | first inference of a shape, ms | later inferences, ms | memory with one shape, MB | \
memory with all shapes, MB |
|---|---|---|---|---|
| one dynamic model | 734 | 717 | 702 | 915 |
"""


def test_the_page_shows_speed_ups_over_the_baseline() -> None:
    assert to_markdown(RESULT).endswith("\n\n" + TABLES)


def test_the_committed_page_is_that_of_the_committed_figures() -> None:
    result = json.loads((ROOT / "bench" / "precision.json").read_text())
    assert (ROOT / "bench" / "precision.md").read_text() == to_markdown(result)


AVX2_ONLY = {"fp32, AVX2", "int8, AVX2"}
NAMED = {*AVX2_ONLY, "fp32, AVX-512", "int8, AVX-512 without VNNI", "int8, AVX2-VNNI"}


def test_a_row_that_names_instructions_is_measured_only_where_the_processor_has_them() -> None:
    none, old, new = (
        set(possible(WAYS, frozenset(flags)))
        for flags in ((), ("avx2", "fma"), ("avx2", "fma", "avx512f", "avx512bw", "avx512dq", "avx512vl"))
    )
    assert none == set(WAYS) - NAMED
    assert old - none == AVX2_ONLY
    assert new - old == {"fp32, AVX-512", "int8, AVX-512 without VNNI"}
