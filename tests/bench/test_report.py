"""The page of `make bench`: its ratios and sums, and the committed page."""

from __future__ import annotations

import json

from bench.__main__ import steps
from bench.engines import OLD, SERVED, TORCH, UPLOADED
from bench.report import heading, to_markdown
from bench.requests import logged_load_ms, start_parts
from local.checkout import ROOT
from model_store.benchmark.sampling import Samples

ABOUT = {
    "machine": "2 cores, a processor",
    "matrix_instructions": ["avx512_bf16"],
    "date": "2026-01-02",
    "commit": "abc1234",
    "rounds": 3,
    "command": "make bench",
}


def figures(median_ms: float) -> dict[str, object]:
    """Figures of a candidate whose quartiles are 1 ms below and above its median."""
    return {"median_ms": median_ms, "quartiles_ms": [median_ms - 1, median_ms + 1]}


RESULT = {
    "about": ABOUT,
    "variants": {
        "yolov7-tiny": {
            "input": [640, 480],
            "picture_bytes": 500_000,
            "operations": 10_000_000_000,
            "precision": "bf16",
            "gemm_peak_per_s": {"f32": 0.25e12, "bf16": 0.5e12},
            "limit_ms": 20.0,
            "difference": {TORCH: 0.0, SERVED: 0.341},
            "engines": {TORCH: figures(100), SERVED: figures(25)},
            "requests": {OLD: figures(200), TORCH: figures(100), SERVED: figures(50), UPLOADED: figures(40)},
            "steps": {"fetch": 3, "decode": 4, "detect": 25, "annotate": 5, "store": 6, "total": 43, "http": 7},
            "upload_steps": {
                "fetch": 0,
                "decode": 4,
                "detect": 24,
                "annotate": 5,
                "store": 0,
                "total": 34,
                "http": 6,
            },
            "unavoidable_ms": {"fetch": 1.5, "decode": 3, "annotate": 4, "store": 5},
            "start_ms": {"compile the model": 500.0, "first response": 1500.0},
        }
    },
}

PAGE = """\
# Benchmark

2 cores, a processor (avx512_bf16), 2026-01-02, commit abc1234, `make bench`. Medians of 3 rounds, quartiles in \
brackets; the candidates take turns within each round. Batch 1, random weights.

## yolov7-tiny, 640 x 480

| network alone | ms | relative to (e) | largest logit difference from (b) |
|---|---|---|---|
| (b) torch fp32, resident | 100.0 [99.0, 101.0] | 4.00 | 0 |
| (e) this service | 25.0 [24.0, 26.0] | 1.00 | 0.34 |
| 10 GFLOP at the machine's bf16 GEMM peak | 20.0 | 0.80 | |

(e) computes in bf16; GEMM peaks in TFLOP/s: f32 0.25, bf16 0.50. (e) takes 1.25 times as long as its operations at \
this peak.

| whole request, 0.50 MB JPEG, S3 on the same machine | ms | relative to (e) |
|---|---|---|
| (a) old design: checkpoint read per request, torch fp32, without HTTP | 200.0 [199.0, 201.0] | 4.00 |
| (b) torch fp32, resident, without HTTP | 100.0 [99.0, 101.0] | 2.00 |
| (e) this service | 50.0 [49.0, 51.0] | 1.00 |
| (f) this service, picture uploaded and returned annotated | 40.0 [39.0, 41.0] | 0.80 |

Steps of (e), ms: fetch 3.0, decode 4.0, detect 25.0, annotate 5.0, store 6.0, http 7.0. Everything except detect: \
25.0 ms.

Of these, 13.5 ms are OpenCV's and S3's own: decoding 3.0, encoding 4.0, and S3 over an open connection, without a \
client library, 1.5 for the picture and 5.0 for the result. This service adds 11.5 ms.

Steps of (f), ms: decode 4.0, detect 24.0, annotate 5.0, http 6.0. Beside decode, detect and annotate, which includes \
encoding, the upload takes 7.0 ms.

| from the start of the service to the first response: 2.0 s | ms | share |
|---|---|---|
| compile the model | 500 | 25% |
| first response | 1500 | 75% |
"""


def test_the_page_shows_medians_ratios_and_sums() -> None:
    assert to_markdown(RESULT) == PAGE


def test_the_committed_page_is_that_of_the_committed_figures() -> None:
    result = json.loads((ROOT / "bench" / "bench.json").read_text())
    assert (ROOT / "bench" / "bench.md").read_text() == to_markdown(result)


def test_a_heading_names_a_machine_without_matrix_instructions() -> None:
    assert heading(ABOUT | {"matrix_instructions": []}) == (
        "2 cores, a processor (no matrix instructions), 2026-01-02, commit abc1234, `make bench`. "
        "Medians of 3 rounds, quartiles in brackets"
    )


def test_steps_are_medians_and_http_is_the_rest_of_the_whole_request() -> None:
    names = ("fetch", "decode", "detect", "annotate", "store", "total")
    rows = ((1.0, 2.0, 3.0, 4.0, 5.0, 15.0), (3.0, 2.0, 9.0, 4.0, 7.0, 25.0), (2.0, 2.0, 4.0, 4.0, 6.0, 18.0))
    timings = [dict(zip(names, row, strict=True)) for row in rows]
    assert steps(timings, Samples((0.02, 0.03, 0.022))) == {
        "fetch": 2, "decode": 2, "detect": 4, "annotate": 4, "store": 6, "total": 18, "http": 4,
    }  # fmt: skip


def test_the_parts_of_a_start_add_up_to_the_time_of_the_first_response() -> None:
    log = 'loaded tiny:1, {"load_ms": {"s3_client": 100.0, "compile": 200.0, "warm_up": 50.0}}\n'
    parts = start_parts(1000.0, 80.0, logged_load_ms(log))
    assert parts == {
        "Python and BentoML, twice: the parent and its worker": 650.0,
        "compile the model": 200.0,
        "one inference to warm up": 50.0,
        "S3 client": 100.0,
        "first response": 80.0,
    }
    assert sum(parts.values()) == 1080.0
