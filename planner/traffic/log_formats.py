"""The formats of access logs that AWS writes: when a request came, and whether it is one of /predict.

The Application Load Balancer has one format: "Access logs for your Application Load Balancer" in AWS's documentation.
API Gateway writes what its stage sets: CLF, JSON, XML and CSV are the forms that AWS proposes; JSON with `time` and
`route` is the form of deployment/terraform/lambda. A line may begin with its time in CloudWatch Logs, which exports it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from planner.types import Booleans, Floats

CLF_TIME = "%d/%b/%Y:%H:%M:%S %z"
ISO_TIME = "%Y-%m-%dT%H:%M:%S%.fZ"
# 09/Apr/2026:12:34:56 +0000, and 2026-04-09T12:34:56.123456Z
CLF = "([0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4})"
ISO = "([0-9T:.-]+Z)"
# A method before a route, a stage before the path.
METHOD, STAGE = "(?:[A-Z]+ )?", '(?:/[^/?,"< ]+)?'
# Type, time of the response, load balancer, client, target, and three durations.
WORD, NUMBER = "[!#-~]+ ", "[0-9.-]+ "
ALB = f"^[a-z0-9]+ {ISO} {WORD * 3}{NUMBER * 3}"
ALB_CREATED = f'" [0-9-]+ {ISO} "'
ALB_DURATIONS = (5, 6, 7)  # fields, from 0
ALB_PATH = '"[A-Z]+ [a-z]+://[!#-.0-~]*/predict[? ]'
# The load balancer's own status, none of a target, the bytes received and sent, and the request.
ALB_REDIRECTED = ' 30[12378] - [0-9]+ [0-9]+ "[A-Z]+ '


@dataclass(frozen=True)
class LogFormat:
    """A format of lines. Times are known to `resolution_s`.

    `path` is a pattern of the lines of /predict, `redirected` one of those whose client sends the request again.
    """

    name: str
    resolution_s: float
    times: Callable[[pl.Series], pl.Series]
    path: str
    redirected: str | None = None


def find_format(lines: Sequence[bytes], likely: LogFormat | None = None) -> tuple[LogFormat, float] | None:
    """The format that most of the lines have, and the earliest of their times, seconds since 1970; None without one.

    The likely format is taken if any line has it.
    """
    text = _to_text(lines)
    for forms in ((likely,) if likely else (), FORMATS):
        found = [(form, form.times(text).drop_nulls()) for form in forms]
        form, times = max(found, key=lambda pair: len(pair[1]), default=(None, pl.Series()))
        if form and len(times):
            return form, float(times.to_numpy().min())
    return None


def parse(form: LogFormat, lines: Sequence[bytes]) -> tuple[Floats, Booleans]:
    """When the request of each line came, and which lines are requests of /predict; arrays `(N,)`.

    Times are seconds since 1970, NaN for a line that is not of the format.
    """
    text = _to_text(lines)
    times = form.times(text).fill_null(np.nan).to_numpy().astype(np.float64)
    counts = text.str.contains(form.path)
    if form.redirected:
        counts &= ~text.str.contains(form.redirected)
    return times, counts.to_numpy() & ~np.isnan(times)


def _to_text(lines: Sequence[bytes]) -> pl.Series:
    try:
        return pl.Series(lines, dtype=pl.Binary).cast(pl.String)
    except pl.exceptions.ComputeError:  # a line that is not UTF-8
        return pl.Series([line.decode("utf-8", "replace") for line in lines], dtype=pl.String)


def _to_seconds(texts: pl.Series, form: str) -> pl.Series:
    """Seconds since 1970; null where the text is null or not a time."""
    return texts.str.to_datetime(form, time_unit="us", strict=False).dt.epoch("us").cast(pl.Float64) / 1e6


def _alb(lines: pl.Series) -> pl.Series:
    """The time of creation, field 22; in older logs the time of the response without the three durations before it."""
    responded = lines.str.extract(ALB)
    created = _to_seconds(lines.str.extract(ALB_CREATED).set(responded.is_null(), None), ISO_TIME)
    missing = (responded.is_not_null() & created.is_null()).arg_true()
    if not len(missing):
        return created
    fields = lines.gather(missing).str.splitn(" ", 9).struct
    arrived = _to_seconds(responded.gather(missing), ISO_TIME)
    for at in ALB_DURATIONS:
        # -1 stands for a duration that is not known.
        took = fields.field(f"field_{at}").cast(pl.Float64, strict=False).fill_null(0)
        arrived -= took.clip(lower_bound=0)
    return created.scatter(missing, arrived)


def _clf(before: str, after: str) -> Callable[[pl.Series], pl.Series]:
    return lambda lines: _to_seconds(lines.str.extract(before + CLF + after), CLF_TIME)


def _json(pattern: str, to_times: Callable[[pl.Series], pl.Series]) -> Callable[[pl.Series], pl.Series]:
    def times(lines: pl.Series) -> pl.Series:
        whole = lines.str.strip_chars_end().str.ends_with("}")
        return to_times(lines.str.extract(pattern).set(~whole, None))

    return times


JSON_PATH = f'"(?:path|resourcePath|routeKey|route)" *: *"{METHOD}{STAGE}/predict"'
FORMATS = (
    LogFormat(
        "Application Load Balancer", 1e-6, _alb, ALB_PATH, ALB_REDIRECTED
    ),
    LogFormat(
        "API Gateway (JSON with requestTimeEpoch)", 1e-3,
        _json('"requestTimeEpoch" *: *"?([0-9]{12,14})"?[ ,}]', lambda texts: texts.cast(pl.Float64) / 1000), JSON_PATH,
    ),
    LogFormat(
        "API Gateway (JSON)", 1,
        _json(f'"(?:requestTime|time)" *: *"{CLF}"', lambda texts: _to_seconds(texts, CLF_TIME)), JSON_PATH,
    ),
    LogFormat(
        "API Gateway (CLF)", 1, _clf(r"\[", r'\] ?"[^"]*" '), rf'\] ?"{METHOD}{METHOD}{STAGE}/predict[? ]'
    ),
    LogFormat(
        "API Gateway (XML)", 1, _clf("<requestTime>", "</requestTime>.*</request>"),
        f"<(?:path|resourcePath|routeKey)>{METHOD}{STAGE}/predict</",
    ),
    LogFormat("API Gateway (CSV)", 1, _clf(r'^[^"{<\[]*,', ","), f",{METHOD}{STAGE}/predict,"),
)  # fmt: skip
