"""Traffic of a shape, which is shipped by name or a YAML file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from pydantic import ValidationError

from loadtest.errors import first_problem
from planner.errors import TrafficError
from planner.traffic.files import shown
from planner.traffic.poisson import to_arrivals
from planner.traffic.shapes import Constant, Curve, Mmpp, OnOff, Ramp, Shape
from planner.types import Floats

FOLDER = Path(__file__).parent.parent / "shapes"
KINDS: dict[str, type[Shape]] = {"constant": Constant, "ramp": Ramp, "curve": Curve, "on-off": OnOff, "mmpp": Mmpp}
MOST = 1_000_000_000  # expected requests
LARGEST = 100_000  # bytes of a file


@dataclass(frozen=True)
class ShapeSource:
    """The arrivals of a shape."""

    shape: Shape

    @property
    def repeats(self) -> bool:
        """Whether the length is a whole number of periods, as days of a daily curve are."""
        period = self.shape.period_s
        return period is not None and math.isclose(math.remainder(self.length_s, period), 0, abs_tol=1e-6)

    @property
    def length_s(self) -> float:
        """The length that the shape gives."""
        return self.shape.length_s

    def chunks(self, scale: float, random: np.random.Generator) -> Iterator[Floats]:
        """The arrivals, with all rates scaled."""
        expected = self.shape.mean_per_s * scale * self.length_s
        if expected > MOST:
            raise TrafficError(
                f"shape {self.shape.name} has about {expected:,.0f} requests; the most is {MOST:,}: "
                "make it shorter, or its scale smaller"
            )
        yield from to_arrivals(self.shape.segments(random), scale, random)

    def notes(self, scale: float) -> list[str]:
        """The kind of traffic, its rates and its length."""
        shape = self.shape
        return [
            f"a shape: {shape.about}",
            f"mean rate {shape.mean_per_s * scale:.4g}/s, peak rate {shape.peak_per_s * scale:.4g}/s, "
            f"for {shape.length_s:,.10g} s",
        ]


def names() -> list[str]:
    """The names of the shapes that are shipped."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def is_shape(file: Path) -> bool:
    """Whether a YAML file has a `kind`, which a load profile has not; False if it cannot be read."""
    try:
        given = _parse(file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return False
    return isinstance(given, dict) and "kind" in given


def to_source(file: Path) -> ShapeSource:
    """The traffic of a shape's file; raises TrafficError with the first problem."""
    try:
        given = _parse(file)
    except OSError as exc:
        raise TrafficError(f"{file} cannot be read: {exc.strerror}") from None
    except (UnicodeDecodeError, yaml.YAMLError) as exc:
        raise TrafficError(f"{file} is not YAML: {' '.join(str(exc).split())}") from None
    if not isinstance(given, dict):
        raise TrafficError(f"{file}: a shape must be a mapping of names to values")
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise TrafficError(f"{file}: kind: {shown(str(kind).encode())} is not a shape; take one of {', '.join(KINDS)}")
    try:
        return ShapeSource(KINDS[kind].model_validate(given | {"name": file.stem}))
    except ValidationError as exc:
        raise TrafficError(f"{file}: {first_problem(exc)}") from None


def _parse(file: Path) -> object:
    with file.open("rb") as opened:
        text = opened.read(LARGEST + 1)
    if len(text) > LARGEST:
        raise TrafficError(f"{file} has more than {LARGEST:,} bytes, too many for a profile or a shape")
    return yaml.safe_load(text.decode())
