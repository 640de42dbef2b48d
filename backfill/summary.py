"""The table at the end of a run."""

from __future__ import annotations

from backfill.cost import Cost
from backfill.journal import Journal
from backfill.results import Found
from backfill.selection import Counts
from detection.errors import PrintableError

_SHARES = (0.5, 0.95, 0.99, 1.0)
_MOST_LABELS = 30


def summary(counts: Counts, journal: Journal, found: Found, seconds: float, cost: Cost | None) -> str:
    """The run and the whole job as text; `seconds` is how long the run took."""
    by_code = journal.counts()
    answered, sent = by_code.pop("done", 0), by_code.pop("sent", 0)
    whole = journal.seconds()
    this = counts.outcomes["done"] + counts.outcomes["sent"]
    rows = [
        ("this run", ""),
        ("  pictures named by the source", f"{counts.listed:,}, and {counts.others:,} other files"),
        ("  left out: done before", f"{counts.journaled:,}"),
        ("  left out: have a result", f"{counts.existing:,}"),
        *([("  left out: are results", f"{counts.results:,}")] if counts.results else []),
        ("  answered" if not counts.outcomes["sent"] else "  sent to the queue", f"{this:,}"),
        ("  failed", f"{counts.outcomes['failed'] + counts.outcomes['later']:,}"),
        ("  pictures per second", f"{this / seconds if seconds else 0:.2f} in {_length(seconds)}"),
        ("all runs of this job", ""),
        *([("  sent to the queue", f"{sent:,}")] if sent else []),
    ]
    if answered or not sent:
        rows += [
            ("  answered", f"{answered:,}"),
            ("  pictures per second", f"{answered / whole if whole else 0:.2f} in {_length(whole)}"),
            ("  bytes of these pictures", f"{journal.total('size') / 1e6:,.1f} MB"),
            ("  seconds per request", _percentiles(journal)),
        ]
    rows += [(f"  model {name}", f"{count:,} pictures") for name, count in found.models.most_common()]
    rows += [(f"  failed: {code}", f"{count:,}") for code, count in by_code.items()]
    labels = found.detections.most_common()
    rows += [
        (f"  found: {label}", f"{count:,} in {found.pictures[label]:,} pictures")
        for label, count in labels[:_MOST_LABELS]
    ]
    if len(labels) > _MOST_LABELS:
        rest = sum(count for _, count in labels[_MOST_LABELS:])
        rows.append((f"  found: {len(labels) - _MOST_LABELS} more labels", f"{rest:,}"))
    if cost:
        rows.append(
            ("  cost", f"{cost.usd:,.4f} USD, an estimate by list prices of {cost.seen}: {cost.parts}, S3 and traffic")
        )
    names = [str(PrintableError(name)) for name, _ in rows]
    width = max(map(len, names))
    return "\n".join(f"{name:<{width}}  {value}".rstrip() for name, (_, value) in zip(names, rows, strict=True))


def _percentiles(journal: Journal) -> str:
    values = [(share, journal.percentile(share)) for share in _SHARES]
    names = {1.0: "max"}
    return ", ".join(f"{names.get(s, f'p{s * 100:g}')} {v:.3f}" for s, v in values if v is not None) or "none"


def _length(seconds: float) -> str:
    """A length of time, e.g. 2:05:07."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
