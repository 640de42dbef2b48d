"""Cold starts: the parts that the benchmark reads and adds up, and the committed page."""

from __future__ import annotations

import json
from typing import Any

from bench.cold import columns, logged_load_ms, step_times, warm_parts
from bench.cold_page import BEFORE, OLD, OURS, parts_ms, to_markdown
from bench.imports import GROUPS, REST, import_ms
from local.checkout import ROOT
from serving.contract import STEPS
from tests.bench.test_report import ABOUT, figures

STEP_MS = dict(zip(STEPS, (10, 20, 30, 40, 50), strict=True))


def cold(total: float, init: float, first: float, **load: float) -> dict[str, Any]:
    """The figures of one function's cold start."""
    return {name: figures(ms) for name, ms in {"total": total, "init": init, "first request": first, **load}.items()}


RESULT = {
    "about": ABOUT,
    "subjects": {
        "yolov7-tiny": {
            "card": "yolov7-tiny-random",
            "cold": {
                OLD: cold(1500, 900, 500),
                BEFORE: cold(1000, 700, 200, s3_client=100, compile=200, warm_up=60, **STEP_MS),
                OURS: cold(500, 300, 160, s3_client=80, compile=5, **STEP_MS),
            },
            "warm": {"whole": figures(100), **{step: figures(ms) for step, ms in STEP_MS.items()}, "rest": figures(10)},
        }
    },
    "imports": {BEFORE: {"boto3": 90.0, "X-Ray": 210.0}, OURS: {"boto3": 80.4, "X-Ray": 0.0}},
}

PAGE = """\
## yolov7-tiny-random

| from process start to first response | ms | relative to this function | init, ms |
|---|---|---|---|
| old design | 1500 [1499, 1501] | 3.0 | 900 [899, 901] |
| before optimisation | 1000 [999, 1001] | 2.0 | 700 [699, 701] |
| this function | 500 [499, 501] | 1.0 | 300 [299, 301] |

| part, ms | before | now |
|---|---|---|
| emulator | 100 | 40 |
| Python and imports | 340 | 215 |
| S3 client | 100 | 80 |
| compile the network | 200 | 0 |
| one inference to warm up | 60 | 0 |
| wait for the compiled network | 0 | 5 |
| first request: fetch | 10 | 10 |
| first request: decode | 20 | 20 |
| first request: detect | 30 | 30 |
| first request: annotate | 40 | 40 |
| first request: store | 50 | 50 |
| first request: the rest | 50 | 10 |

A warm request takes 100 [99, 101] ms: fetch 10.0, decode 20.0, detect 30.0, annotate 40.0, store 50.0. Without \
detect, fetch and store it takes 10 [9, 11] ms (decode, annotate, the runtime, the emulator).

## Imports

| package, ms of `-X importtime` | before | now |
|---|---|---|
| boto3 | 90 | 80 |
| X-Ray | 210 | 0 |
| all | 300 | 80 |
"""


def test_the_page_shows_ratios_parts_and_sums() -> None:
    assert to_markdown(RESULT).partition("\n\n## ")[2] == PAGE.removeprefix("## ")


def test_the_committed_page_is_that_of_the_committed_figures() -> None:
    result = json.loads((ROOT / "bench" / "cold.json").read_text())
    assert (ROOT / "bench" / "cold.md").read_text() == to_markdown(result)


def test_the_parts_of_a_cold_start_add_up_to_its_total() -> None:
    parts = parts_ms(cold(1000, 700, 200, s3_client=100, compile=200, **STEP_MS), "compile")
    assert sum(parts.values()) == 1000


def test_columns_turn_rows_of_parts_into_figures_of_each_part() -> None:
    rows = [{"total": 30.0, "init": 3.0}, {"total": 10.0, "init": 1.0}, {"total": 20.0, "init": 2.0}]
    assert columns(rows) == {
        "total": {"median_ms": 20.0, "quartiles_ms": [15.0, 25.0], "samples_ms": [30.0, 10.0, 20.0]},
        "init": {"median_ms": 2.0, "quartiles_ms": [1.5, 2.5], "samples_ms": [3.0, 1.0, 2.0]},
    }


def test_the_load_times_are_read_from_a_json_log() -> None:
    message = "loaded tiny:1, " + json.dumps({"load_ms": {"s3_client": 80.5, "compile": 1.25}})
    log = "START\n" + json.dumps({"level": "INFO", "message": message}) + "\nEND\n"
    assert logged_load_ms(log) == {"s3_client": 80.5, "compile": 1.25}
    assert logged_load_ms("START\nEND\n") == {}


def test_step_times_are_read_from_a_response_and_absent_in_the_old_design() -> None:
    assert step_times(json.dumps({"timings_ms": {**STEP_MS, "total": 150}}).encode()) == STEP_MS
    assert step_times(b"{}") == {}


def test_the_rest_of_a_warm_request_is_without_network_and_s3() -> None:
    assert warm_parts(200.0, STEP_MS) == {"whole": 200.0, **STEP_MS, "rest": 200.0 - 30 - 10 - 50}


IMPORTTIME = """\
import time: self [us] | cumulative | imported package
import time:       500 |        500 |   _io
import time:      1500 |       2000 | botocore.session
import time:      2000 |       4000 | boto3
import time:      3000 |       3000 |     cv2.gapi
import time:      4000 |       4000 |   serving.aws
import time:      9000 |      20000 | lambda_function
"""


def test_import_times_are_summed_by_group_without_the_handler_itself() -> None:
    expected = dict.fromkeys((*GROUPS, REST), 0.0)
    expected |= {"boto3": 3.5, "OpenCV": 3.0, "this project": 4.0, REST: 0.5}
    assert import_ms(IMPORTTIME, without=("lambda_function",)) == expected
