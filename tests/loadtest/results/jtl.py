"""Hand-made samples of JMeter, and the record of their run."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from loadtest.profiles import load_profile
from loadtest.runs import Record, parse_target

START = 1_790_000_000_000
HEADER = (
    "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,sentBytes,"
    "grpThreads,allThreads,URL,Latency,IdleTime,Connect,round,due,cold,instance,fetch,decode,detect,annotate,store,model,"
    "code,content,cpu"
).split(",")
USUAL: dict[str, Any] = {
    "timeStamp": START, "elapsed": 100, "label": "scenes", "responseCode": "200", "responseMessage": "OK",
    "threadName": "users 1-1", "dataType": "text", "success": "true", "bytes": 1000, "sentBytes": 200, "grpThreads": 1,
    "allThreads": 1, "URL": "http://t/predict", "Latency": 90, "IdleTime": 0, "Connect": 1, "round": 1, "due": "null",
    "cold": "false", "instance": "a", "fetch": "5.1", "decode": "9.8", "detect": "62.4", "annotate": "2.2",
    "store": "9.0", "model": "m:1", "content": "application/json", "cpu": "Xeon, AVX2",
}  # fmt: skip


def sample(at_ms: int, elapsed: int, **changes: Any) -> dict[str, Any]:
    """A sample that began `at_ms` after the start of the run."""
    return {**USUAL, "timeStamp": START + at_ms, "elapsed": elapsed, **changes}


def failed(at_ms: int, elapsed: int, status: str = "503", **changes: Any) -> dict[str, Any]:
    """A failed sample."""
    missing = dict.fromkeys(("fetch", "decode", "detect", "annotate", "store", "model", "instance", "cold"), "")
    return sample(
        at_ms, elapsed, **{**missing, "responseCode": status, "success": "false", "responseMessage": "no", **changes}
    )


def text(samples: list[dict[str, Any]], header: list[str] = HEADER) -> str:
    """The samples as the CSV that JMeter writes."""
    out = io.StringIO()
    writer = csv.DictWriter(out, header, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(samples)
    return out.getvalue()


def record(profile: str = "batches", changes: tuple[str, ...] = (), **more: Any) -> Record:
    """The record of a run of a profile."""
    given: dict[str, Any] = {
        "profile": load_profile(profile, changes=changes), "target": parse_target("http://127.0.0.1:3000"),
        "platform": "lambda", "settings": {"memory_mb": 3000}, "image": "", "commit": "abc",
        "machine": "2 cores",
        "jmeter": "j", "java": "j", "command": "c", "started": START - 3000, "ended": START + 60_000,
        "status": "finished",
    }  # fmt: skip
    return Record(**{**given, **more})


def write_run(folder: Path, samples: list[dict[str, Any]] | str, run: Record | None = None) -> Path:
    """A folder of a run with these samples, or with this text as its samples."""
    folder.mkdir(parents=True, exist_ok=True)
    (run or record()).write(folder)
    (folder / "samples.jtl").write_text(samples if isinstance(samples, str) else text(samples))
    return folder
