"""The rules by which Lambda keeps and starts instances, as data with their sources."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from planner.errors import RulesError

MOST_INSTANCES = 1_000_000  # One takes 80 bytes.
MOST_BURST = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Rules:
    """When an idle instance leaves, which one a request takes, and how many there may be; raises RulesError.

    An instance leaves at the earliest of these: `idle_s` after its last response; `function_idle_s` after the last
    response of the whole function; with probability 1/2 at the end of each `halving_s` of idleness, so that half of a
    group leaves; at its largest age, if idle then. The age is drawn for each instance: the smaller of a Weibull time
    with scale `recycled_s` and `recycled_shape` and a uniform one between `oldest_s`. math.inf switches a rule off.

    `pick`: a request takes the idle instance that was used last ("recent") or the one created last ("newest").
    `concurrency`: requests that run at once, reserved or of the account; more are throttled (status 429).
    `provisioned` instances of these are always there and warm; what they cannot take spills over to others.
    `burst` new instances at most in any `burst_s`; more are throttled.
    """

    idle_s: float = 600
    function_idle_s: float = math.inf
    halving_s: float = math.inf
    recycled_s: float = math.inf
    recycled_shape: float = 1
    oldest_s: tuple[float, float] = (math.inf, math.inf)
    pick: Literal["recent", "newest"] = "recent"
    concurrency: int = 1000
    provisioned: int = 0
    burst: int = 1000
    burst_s: float = 10

    def __post_init__(self) -> None:
        for name in ("idle_s", "function_idle_s", "halving_s", "recycled_s", "recycled_shape"):
            if not getattr(self, name) > 0:
                raise RulesError(f"{name} is {getattr(self, name)}, and must be above 0")
        low, high = self.oldest_s
        if not 0 < low <= high or (math.isinf(high) and not math.isinf(low)):
            raise RulesError(f"oldest_s is {self.oldest_s}, and must be two increasing times, both finite or both inf")
        if self.pick not in ("recent", "newest"):
            raise RulesError(f"pick is {self.pick!r}, and must be recent or newest")
        bounds = (("concurrency", 1, MOST_INSTANCES), ("provisioned", 0, self.concurrency), ("burst", 1, MOST_BURST))
        for name, least, most in bounds:
            if not least <= getattr(self, name) <= most:
                raise RulesError(f"{name} is {getattr(self, name)}, and must be from {least} to {most:,}")
        if not 0 <= self.burst_s < math.inf:
            raise RulesError(f"burst_s is {self.burst_s}, and must be from 0 seconds")


# The rule that is usually assumed, e.g. by SimFaaS: ten minutes, whatever the other instances do.
FIXED = Rules()

# M. Copik and others, "SeBS", Middleware 2021: half of a group of idle instances leaves every 380 s.
SEBS_2021 = Rules(idle_s=math.inf, halving_s=380)

# Fitted on recorded requests of 2020 (docs/planner.md): instances of a function that is in use stay for 25 minutes, all
# instances of one that is not leave after 10.5 minutes, and none becomes older than about two hours.
AWS_2020 = Rules(idle_s=1500, function_idle_s=633, recycled_s=16_500, recycled_shape=1.4, oldest_s=(6500, 7450))
