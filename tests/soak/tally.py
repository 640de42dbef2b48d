"""Counts of responses and histograms of their times: memory does not grow with the number of requests."""

from __future__ import annotations

import math
import threading
from collections import Counter
from dataclasses import dataclass, field

BUCKETS_PER_E = 20  # Buckets of a histogram grow by 5%.
MOST_FINDINGS = 30


@dataclass
class Phase:
    """What happened during one phase."""

    name: str
    outcomes: Counter[str] = field(default_factory=Counter)
    times: Counter[int] = field(default_factory=Counter)
    rss_mb: float = 0.0

    def percentile_ms(self, share: float) -> float:
        """The time within which this share of the responses came; within 5%."""
        wanted, seen = share * self.times.total(), 0
        for bucket in sorted(self.times):
            seen += self.times[bucket]
            if seen >= wanted:
                return math.exp(bucket / BUCKETS_PER_E)
        return 0.0


class Tally:
    """The phases so far, and the findings: what must not happen."""

    def __init__(self) -> None:
        self.phases: list[Phase] = []
        self.findings: Counter[str] = Counter()
        self._lock = threading.Lock()

    def begin(self, name: str) -> Phase:
        """Begin the next phase; requests count in the phase in which their response comes."""
        with self._lock:
            self.phases.append(Phase(name))
            return self.phases[-1]

    def response(self, outcome: str, seconds: float) -> None:
        """Count one response."""
        with self._lock:
            phase = self.phases[-1]
            phase.outcomes[outcome] += 1
            phase.times[round(math.log(max(seconds * 1000, 0.1)) * BUCKETS_PER_E)] += 1

    def finding(self, text: str) -> None:
        """Count a finding; beyond MOST_FINDINGS different ones they are only counted."""
        with self._lock:
            self.findings[text if text in self.findings or len(self.findings) < MOST_FINDINGS else "others"] += 1

    def table(self) -> str:
        """Both tables: one row per phase, one row per kind of response."""
        rows = [f"{'phase':<24}{'requests':>9}{'200':>7}{'p50 ms':>8}{'p99 ms':>8}{'RSS MB':>8}  other responses"]
        for phase in self.phases:
            others = ", ".join(f"{name} {n}" for name, n in sorted(phase.outcomes.items()) if name != "200")
            rows.append(
                f"{phase.name:<24}{phase.outcomes.total():>9}{phase.outcomes['200']:>7}{phase.percentile_ms(0.5):>8.0f}"
                f"{phase.percentile_ms(0.99):>8.0f}{phase.rss_mb:>8.0f}  {others}"
            )
        total = sum((phase.outcomes for phase in self.phases), Counter[str]())
        times = sum((phase.times for phase in self.phases), Counter[int]())
        whole = Phase("all", total, times)
        rows += ["", f"{'response':<32}{'requests':>9}"]
        rows += [f"{name:<32}{n:>9}" for name, n in sorted(total.items())]
        middle, slow = whole.percentile_ms(0.5), whole.percentile_ms(0.99)
        rows.append(f"{'all':<32}{total.total():>9}  p50 {middle:.0f} ms, p99 {slow:.0f} ms")
        return "\n".join(rows)
