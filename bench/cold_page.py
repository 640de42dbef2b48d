"""The page of cold starts: tables from the figures that bench.cold measured."""

from __future__ import annotations

from typing import Any

from bench.report import heading
from model_store.benchmark.sampling import spread
from serving.contract import STEPS

OURS, BEFORE, OLD = "this function", "before optimisation", "old design"


def to_markdown(result: dict[str, Any]) -> str:
    """The page: cold starts, their parts and warm requests of each model, then the imports."""
    lines = [
        "# Cold starts of the Lambda function",
        "",
        f"{heading(result['about'])}; the functions take turns within each round. Each start is a new process under "
        "AWS's runtime interface emulator, on this machine and not on AWS. The CPU is not scaled, the files are in the "
        "page cache, S3 runs on the same machine, and the picture has 0.5 MB and an aspect of 4:3. "
        f"`{BEFORE}` is [plain_handler.py](plain_handler.py), `{OLD}` is [old_handler.py](old_handler.py).",
    ]
    for figures in result["subjects"].values():
        lines += ["", f"## {figures['card']}", "", *_totals(figures["cold"]), "", *_parts(figures["cold"]), ""]
        lines += [_warm(figures["warm"])]
    lines += ["", "## Imports", "", *_imports(result["imports"])]
    return "\n".join(lines) + "\n"


def _totals(cold: dict[str, Any]) -> list[str]:
    ours = cold[OURS]["total"]["median_ms"]
    return [
        "| from process start to first response | ms | relative to this function | init, ms |",
        "|---|---|---|---|",
        *(
            f"| {name} | {spread(parts['total'], 0)} | {parts['total']['median_ms'] / ours:.1f} "
            f"| {spread(parts['init'], 0)} |"
            for name, parts in cold.items()
        ),
    ]


def _parts(cold: dict[str, Any]) -> list[str]:
    """The parts of the start before and after optimisation; parts below half a millisecond in both are left out."""
    before, after = (
        parts_ms(cold[BEFORE], compile_part="compile the network"),
        parts_ms(cold[OURS], compile_part="wait for the compiled network"),
    )
    names = list(dict.fromkeys([*before, *after]))
    names.sort(key=lambda name: name.startswith("first request"))
    shown = [(name, before.get(name, 0.0), after.get(name, 0.0)) for name in names]
    return [
        "| part, ms | before | now |",
        "|---|---|---|",
        *(f"| {name} | {then:.0f} | {now:.0f} |" for name, then, now in shown if max(then, now) >= 0.5),
    ]


def parts_ms(cold: dict[str, Any], compile_part: str) -> dict[str, float]:
    """The parts of one function's cold start, from their medians: milliseconds that add up to the median total."""
    parts = {part: samples["median_ms"] for part, samples in cold.items()}
    known = {
        "S3 client": parts["s3_client"],
        compile_part: parts["compile"],
        "one inference to warm up": parts.get("warm_up", 0.0),
    }
    return {
        "emulator": parts["total"] - parts["init"] - parts["first request"],
        "Python and imports": parts["init"] - sum(known.values()),
        **known,
        **{f"first request: {step}": parts[step] for step in STEPS},
        "first request: the rest": parts["first request"] - sum(parts[step] for step in STEPS),
    }


def _warm(warm: dict[str, Any]) -> str:
    steps = ", ".join(f"{step} {warm[step]['median_ms']:.1f}" for step in STEPS)
    return (
        f"A warm request takes {spread(warm['whole'], 0)} ms: {steps}. Without detect, fetch and store it takes "
        f"{spread(warm['rest'], 0)} ms (decode, annotate, the runtime, the emulator)."
    )


def _imports(found: dict[str, dict[str, float]]) -> list[str]:
    total = {name: sum(groups.values()) for name, groups in found.items()}
    return [
        "| package, ms of `-X importtime` | before | now |",
        "|---|---|---|",
        *(f"| {group} | {found[BEFORE][group]:.0f} | {found[OURS][group]:.0f} |" for group in found[OURS]),
        f"| all | {total[BEFORE]:.0f} | {total[OURS]:.0f} |",
    ]
