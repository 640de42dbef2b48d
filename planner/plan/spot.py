"""EC2 spot instances: what they cost, and how much of the traffic their interruptions may hit.

Interruptions are too rare to be simulated: AWS counts the share of instances that it took back in a month, so a plan of
a week would mostly show none. What they hit is bounded instead. Sources:
https://aws.amazon.com/ec2/spot/instance-advisor/ (the share in the last month, from below 5% to above 20%) and
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-spot.html (two minutes' notice, draining)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadtest.cost.tariff import SECONDS_PER_MONTH
from planner.scaling.books import Book


@dataclass(frozen=True)
class Spot:
    """The discount on the list price (0..1), and the share of instances that are interrupted in a month (0..1)."""

    discount: float
    interrupted: float

    def hit(self, instances: float, book: Book) -> float:
        """At most this share of the traffic is hit by interruptions, of so many instances on average.

        It takes all traffic as hit from the notice, when the tasks of the instance drain, until a new instance has
        booted and its task is ready, although other instances go on.
        """
        assert book.instances is not None
        rules = book.instances
        outage_s = rules.period_s * rules.out_points + rules.delay_s + rules.boot_s + book.replica.startup_s
        per_s = -math.log1p(-self.interrupted) / SECONDS_PER_MONTH
        return min(1.0, instances * per_s * outage_s)
