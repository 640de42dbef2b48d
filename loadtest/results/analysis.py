"""From samples to a summary; only `read_run` reads files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import polars as pl

from loadtest.errors import SamplesError
from loadtest.profiles import Profile
from loadtest.results.bare import bare_record
from loadtest.results.jtl import NO_RESPONSE, NO_STATUS
from loadtest.results.samples import clock_warnings, read_samples
from loadtest.results.statistics import latency, percentile
from loadtest.results.summary import Phase, PhaseKind, Point, RunInfo, Skipped, Summary, too_few
from loadtest.runs import DASHBOARD, SAMPLES, Record, read_record
from serving.contract import STEPS

# A run with more samples is shown as slices of time.
MOST_POINTS = 600
# Above this lag (95th percentile) the load generator is the bottleneck.
LAG_LIMIT_MS = 50.0


def read_runs(folders: list[Path]) -> tuple[list[Summary], list[Skipped]]:
    """Summarise every run that can be read; the others are returned with their reasons."""
    summaries, skipped = [], []
    for folder in folders:
        try:
            summaries.append(read_run(folder))
        except SamplesError as exc:
            skipped.append(Skipped(folder.name, str(exc)))
    return summaries, skipped


def read_run(folder: Path) -> Summary:
    """Summarise the run in a folder, or the samples in a file that has no record; raises SamplesError."""
    if folder.is_file():
        table, warnings = read_samples(folder)
        summary = summarise(table, bare_record(folder, table), folder)
        return replace(summary, warnings=warnings + summary.warnings)
    if not folder.is_dir():
        raise SamplesError("there is no such folder")
    record = read_record(folder)
    table, warnings = read_samples(folder / SAMPLES)
    summary = summarise(table, record, folder)
    warnings += clock_warnings(table, record.started, record.ended)
    return replace(summary, warnings=warnings + summary.warnings)


def summarise(table: pl.DataFrame, record: Record, folder: Path) -> Summary:
    """Summarise the samples that `read_samples` returns, of the run that the record describes."""
    table, warnings = _without_aborted(table, record)
    answered = table.filter(pl.col("success"))
    start = _start(table, record.profile)
    seconds = max(_end(table) - start, 1) / 1000
    due = answered.filter(pl.col("due").is_not_null())
    lag = (table["timeStamp"] - table["due"]).drop_nulls()
    lag_ms = percentile(lag, "p95")
    if lag_ms is not None and lag_ms > LAG_LIMIT_MS:
        which = f"the longest of {len(lag)}" if "p95" in too_few(len(lag)) else "95th percentile"
        warnings.append(
            f"the load generator sent its requests {lag_ms:.0f} ms late ({which}), so it may be too slow for "
            "this rate; the corrected times include this delay"
        )
    if len(models := _models(table)) > 1:
        warnings.append(f"answers came from {len(models)} models: {', '.join(models)}")
    info = _info(record, folder, models)
    if info.status == "interrupted":
        warnings.append("the run was interrupted, so it has fewer samples than its profile requires")
    cold = answered.filter(pl.col("cold").fill_null(False))
    # Without the field in any answer, none of them is known to be warm.
    warm = answered.filter(~pl.col("cold").fill_null(not answered["cold"].is_not_null().any()))
    instances = table["instance"].drop_nulls()
    return Summary(
        run=info,
        duration_s=seconds,
        requests=table.height,
        answered=answered.height,
        errors=_errors(table),
        throughput_per_s=answered.height / seconds,
        offered_per_s=_offered(record.profile),
        all=latency(answered["elapsed"]),
        cold=latency(cold["elapsed"]),
        warm=latency(warm["elapsed"]),
        corrected=latency(due["timeStamp"] + due["elapsed"] - due["due"]) if record.profile.open else None,
        lag_ms=lag_ms,
        cold_starts={str(name): int(count) for name, count in cold.group_by("instance").len().sort("instance").rows()},
        instances=instances.n_unique(),
        steps_ms=_steps(answered),
        billed_ms=_billed(answered),
        answer_bytes=float(answered["bytes"].mean() or 0),  # type: ignore[arg-type]
        phases=list(_phases(table, record.profile, start)),
        points=_points(table, start),
        warnings=warnings,
        processors=processors(table),
    )


def _without_aborted(table: pl.DataFrame, record: Record) -> tuple[pl.DataFrame, list[str]]:
    """The samples without the requests that the interruption itself aborted."""
    if record.stopped is None:
        return table, []
    broken = (pl.col("timeStamp") + pl.col("elapsed") >= record.stopped) & pl.col("responseCode").str.starts_with(
        NO_STATUS
    )
    kept = table.filter(~broken)
    if not kept.height:
        raise SamplesError("the run was interrupted before the first answer")
    count = table.height - kept.height
    return kept, [f"{count} requests were aborted by the interruption"] if count else []


def _start(table: pl.DataFrame, profile: Profile) -> int:
    """The start of the profile, milliseconds since 1970; in an open one the first request may come later."""
    due = table["due"].drop_nulls()
    first = due.min() if len(due) else table["timeStamp"].min()
    return int(first) - (profile.arrivals_ms()[0] if len(due) and profile.open else 0)  # type: ignore[arg-type]


def _end(table: pl.DataFrame) -> int:
    return int((table["timeStamp"] + table["elapsed"]).max())  # type: ignore[arg-type]


def _info(record: Record, folder: Path, models: list[str]) -> RunInfo:
    dashboard = folder / DASHBOARD
    return RunInfo(
        name=folder.name, folder=str(folder), profile=record.profile.name, question=record.profile.question,
        mode="open" if record.profile.open else "closed", platform=record.platform, where=record.where,
        label=record.label, target=record.target.url, settings=record.settings,
        model=models[0] if models else "unknown",
        commit=record.commit, image=record.image, machine=record.generator,
        started=datetime.fromtimestamp(record.started / 1000, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC"),
        # A run that was killed could not record it.
        status="interrupted" if record.status == "running" else record.status,
        command=record.command, dashboard=str(dashboard) if (dashboard / "index.html").is_file() else None,
    )  # fmt: skip


def _models(table: pl.DataFrame) -> list[str]:
    counts = table["model"].drop_nulls().value_counts().sort(["count", "model"], descending=[True, False])
    return [str(model) for model in counts["model"]]


def processors(table: pl.DataFrame) -> dict[str, int]:
    """The number of instances on each processor, most first; none if no answer said where it was made."""
    seen = table.select("cpu", "instance").drop_nulls().unique()
    counts = seen.group_by("cpu").len().sort(["len", "cpu"], descending=[True, False])
    return {str(cpu): int(count) for cpu, count in counts.rows()}


def _offered(profile: Profile) -> float | None:
    """Requests per second that an open profile schedules."""
    if not profile.stages:
        return None
    return len(profile.arrivals_ms()) / profile.stage_times()[-1][1]


def _errors(table: pl.DataFrame) -> dict[str, int]:
    """The number of failed requests, by code."""
    client = pl.col("responseMessage").str.strip_prefix(NO_RESPONSE)
    status = pl.col("responseCode")
    reason = (
        pl.when(pl.col("code").is_not_null()).then(pl.col("code"))
        .when(status.is_null()).then(pl.lit("unknown"))
        .when(status == "200").then(pl.lit("200 without a location"))
        .when(status.str.starts_with(NO_STATUS)).then(client.fill_null("no answer"))
        .otherwise(status)
    )  # fmt: skip
    counts = table.filter(~pl.col("success")).group_by(reason.alias("reason")).len().sort("reason")
    return {str(name)[:100]: int(count) for name, count in counts.rows()}


def _steps(answered: pl.DataFrame) -> dict[str, float]:
    """Mean of each step of warm answers, and of the rest of their response time; empty if no answer has steps.

    Cold answers, which include the start of an instance, are used only if there are no others.
    """
    known = answered.filter(pl.all_horizontal(pl.col(step).is_not_null() for step in STEPS))
    warm = known.filter(~pl.col("cold").fill_null(False))
    known = warm if warm.height else known
    if not known.height:
        return {}
    means = {step: float(known[step].mean() or 0) for step in STEPS}  # type: ignore[arg-type]
    return {**means, "other": float(known["elapsed"].mean() or 0) - sum(means.values())}  # type: ignore[arg-type]


def _billed(answered: pl.DataFrame) -> float | None:
    """Mean billed time of a function, milliseconds, estimated by the client.

    It is the five steps of a warm answer, in whole milliseconds, and the whole response time of a cold one, whose
    initialisation is billed but not reported.
    """
    known = answered.filter(pl.all_horizontal(pl.col(step).is_not_null() for step in STEPS))
    steps = pl.sum_horizontal(STEPS).ceil()
    time = pl.when(pl.col("cold").fill_null(False)).then(pl.col("elapsed").cast(pl.Float64)).otherwise(steps)
    return float(known.select(time.mean()).item()) if known.height else None


def _phases(table: pl.DataFrame, profile: Profile, start: int) -> Iterator[Phase]:
    """The phases of the profile."""
    at = (pl.coalesce("due", "timeStamp") - start) / 1000
    if profile.together:
        for number in table["round"].drop_nulls().unique().sort():
            yield _phase(f"batch {number}", "batch", table.filter(pl.col("round") == number), start, profile.users)
    elif profile.steps:
        for begin, end, users in profile.step_times():
            part = table.filter((at >= begin) & (at < end))
            yield _phase(f"{users} users", "users", part, start, users, end - begin)
    elif profile.at_minutes:
        for minute, due in zip(profile.at_minutes, profile.arrivals_ms(), strict=True):
            yield _phase(f"minute {minute:g}", "gap", table.filter((at * 1000 - due).abs() < 0.5), start, 0)
    elif profile.stages:
        for begin, end, rate in profile.stage_times():
            part = table.filter((at >= begin) & (at < end))
            yield replace(_phase(f"{rate:g}/s", "rate", part, start, 0, end - begin), offered_per_s=rate)
    if len(profile.pictures) > 1:
        for label in profile.pictures:
            yield _phase(label, "payload", table.filter(pl.col("label") == label), start, profile.users)


def _phase(
    name: str, kind: PhaseKind, part: pl.DataFrame, start: int, users: int, seconds: float | None = None
) -> Phase:
    answered = part.filter(pl.col("success"))
    begin = int(part["timeStamp"].min()) if part.height else start  # type: ignore[arg-type]
    lasted = max((_end(part) - begin) / 1000 if part.height else 0.0, seconds or 0.0, 0.001)
    return Phase(
        name=name, kind=kind, at_s=(begin - start) / 1000, users=users, requests=part.height,
        errors=part.height - answered.height, cold_starts=int(part["cold"].fill_null(False).sum()),
        throughput_per_s=answered.height / lasted, offered_per_s=None, latency=latency(answered["elapsed"]),
    )  # fmt: skip


def _points(table: pl.DataFrame, start: int) -> list[Point]:
    """The points of the run: every request, or slices of time if there are too many requests."""
    first, length = int(table["timeStamp"].min()), _end(table) - start  # type: ignore[arg-type]
    width = 1 if table.height <= MOST_POINTS else -(-length // MOST_POINTS)
    key = pl.int_range(pl.len()) if table.height <= MOST_POINTS else (pl.col("timeStamp") - first) // width
    slices = table.group_by(key.alias("slice")).agg(
        pl.col("timeStamp").min().alias("at"), pl.len().alias("requests"), (~pl.col("success")).sum().alias("errors"),
        pl.col("cold").fill_null(False).sum().alias("cold"), pl.col("elapsed").median().alias("median"),
        pl.col("elapsed").max().alias("max"),
    ).sort("at")  # fmt: skip
    return [_point(row, start) for row in slices.iter_rows(named=True)]


def _point(row: dict[str, Any], start: int) -> Point:
    return Point(
        at_s=(row["at"] - start) / 1000, requests=row["requests"], errors=row["errors"], cold_starts=row["cold"],
        median_ms=float(row["median"]), max_ms=float(row["max"]),
    )  # fmt: skip
