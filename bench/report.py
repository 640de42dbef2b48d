"""The page of `make bench`: Markdown tables from the figures in bench.json."""

from __future__ import annotations

from typing import Any

from bench.engines import OLD, SERVED, TORCH, UPLOADED
from model_store.benchmark.sampling import spread
from serving.contract import STEPS


def to_markdown(result: dict[str, Any]) -> str:
    """The page: machine and date, then three tables per variant."""
    about = result["about"]
    lines = [
        "# Benchmark",
        "",
        f"{heading(about)}; the candidates take turns within each round. Batch 1, random weights.",
    ]
    for variant, figures in result["variants"].items():
        lines += ["", *_engines(variant, figures), "", *_requests(figures), "", *_start(figures)]
    return "\n".join(lines) + "\n"


def _engines(variant: str, figures: dict[str, Any]) -> list[str]:
    width, height = figures["input"]
    served = figures["engines"][SERVED]["median_ms"]
    peak = figures["gemm_peak_per_s"]
    rates = ", ".join(f"{name} {rate / 1e12:.2f}" for name, rate in peak.items())
    return [
        f"## {variant}, {width} x {height}",
        "",
        "| network alone | ms | relative to (e) | largest logit difference from (b) |",
        "|---|---|---|---|",
        *(
            f"| {name} | {spread(samples)} | {samples['median_ms'] / served:.2f} | {figures['difference'][name]:.2g} |"
            for name, samples in figures["engines"].items()
        ),
        f"| {figures['operations'] / 1e9:.0f} GFLOP at the machine's {figures['precision']} GEMM peak "
        f"| {figures['limit_ms']:.1f} | {figures['limit_ms'] / served:.2f} | |",
        "",
        f"(e) computes in {figures['precision']}; GEMM peaks in TFLOP/s: {rates}. "
        f"(e) takes {served / figures['limit_ms']:.2f} times as long as its operations at this peak.",
    ]


def _requests(figures: dict[str, Any]) -> list[str]:
    requests, steps = figures["requests"], figures["steps"]
    served = requests[SERVED]["median_ms"]
    rest = sum(steps[name] for name in STEPS if name != "detect") + steps["http"]
    return [
        f"| whole request, {figures['picture_bytes'] / 1e6:.2f} MB JPEG, S3 on the same machine | ms "
        "| relative to (e) |",
        "|---|---|---|",
        *(
            f"| {name}{'' if name in (SERVED, UPLOADED) else ', without HTTP'} | {spread(requests[name])} "
            f"| {requests[name]['median_ms'] / served:.2f} |"
            for name in (OLD, TORCH, SERVED, UPLOADED)
            if name in requests
        ),
        "",
        "Steps of (e), ms: " + ", ".join(f"{name} {steps[name]:.1f}" for name in (*STEPS, "http")) + f". "
        f"Everything except detect: {rest:.1f} ms.",
        *_unavoidable(figures, rest),
        *_upload(figures),
    ]


def _unavoidable(figures: dict[str, Any], rest: float) -> list[str]:
    if not (needed := figures.get("unavoidable_ms")):
        return []
    total = sum(needed.values())
    return [
        "",
        f"Of these, {total:.1f} ms are OpenCV's and S3's own: decoding {needed['decode']:.1f}, encoding "
        f"{needed['annotate']:.1f}, and S3 over an open connection, without a client library, {needed['fetch']:.1f} "
        f"for the picture and {needed['store']:.1f} for the result. This service adds {rest - total:.1f} ms.",
    ]


def _upload(figures: dict[str, Any]) -> list[str]:
    if not (steps := figures.get("upload_steps")):  # Figures from before the service took uploads.
        return []
    return [
        "",
        "Steps of (f), ms: "
        + ", ".join(f"{name} {steps[name]:.1f}" for name in (*STEPS, "http") if steps[name])
        + f". Beside decode, detect and annotate, which includes encoding, the upload takes "
        f"{steps['total'] + steps['http'] - steps['decode'] - steps['detect'] - steps['annotate']:.1f} ms.",
    ]


def _start(figures: dict[str, Any]) -> list[str]:
    parts = figures["start_ms"]
    total = sum(parts.values())
    return [
        f"| from the start of the service to the first response: {total / 1000:.1f} s | ms | share |",
        "|---|---|---|",
        *(f"| {name} | {value:.0f} | {value / total:.0%} |" for name, value in parts.items()),
    ]


def heading(about: dict[str, Any]) -> str:
    """The machine, date, commit, command and rounds of a page, without the final full stop."""
    instructions = ", ".join(about["matrix_instructions"]) or "no matrix instructions"
    return (
        f"{about['machine']} ({instructions}), {about['date']}, commit {about['commit']}, `{about['command']}`. "
        f"Medians of {about['rounds']} rounds, quartiles in brackets"
    )
