"""The bill of AWS, computed from prices and quantities.

A month has 730 hours, money is US dollars. Traffic, S3, logs, disks, public IPv4 addresses and free tiers are excluded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from loadtest.cost.prices import Architecture, Burstable, CapacityUnit, Prices, RegionPrices

HOURS_PER_MONTH = 730
SECONDS_PER_MONTH = HOURS_PER_MONTH * 3600
HTTP_API_BYTES = 512 * 1024
# Auto scaling as deployment/terraform/ecs configures it by default; a test compares these values with its variables.
TARGET_BUSY = 0.7
MIN_INSTANCES = 1
MAX_INSTANCES = 5


def lambda_usd_per_request(
    prices: RegionPrices, *, memory_mb: float, architecture: Architecture, billed_ms: float, answer_bytes: float
) -> float:
    """One request to a function behind an HTTP API; time is billed per started millisecond, calls per 512 KB."""
    compute = compute_usd(prices, memory_mb=memory_mb, architecture=architecture, seconds=math.ceil(billed_ms) / 1000)
    return compute + prices.functions[architecture].request.usd + http_api_usd(prices, answer_bytes=answer_bytes)


def compute_usd(prices: RegionPrices, *, memory_mb: float, architecture: Architecture, seconds: float) -> float:
    """Billed time of a function."""
    return memory_mb / 1024 * seconds * prices.functions[architecture].gb_second.usd


def http_api_usd(prices: RegionPrices, *, answer_bytes: float) -> float:
    """One call of an HTTP API."""
    return max(1, math.ceil(answer_bytes / HTTP_API_BYTES)) * prices.http_api.usd / 1e6


def provisioned_usd_per_month(
    prices: RegionPrices, *, memory_mb: float, architecture: Architecture, instances: int
) -> float:
    """Provisioned instances of a function, busy or not; their requests are billed in addition."""
    per_gb_second = prices.functions[architecture].provisioned_gb_second.usd
    return instances * memory_mb / 1024 * SECONDS_PER_MONTH * per_gb_second


def snapstart_usd_per_month(
    prices: RegionPrices, *, memory_mb: float, architecture: Architecture, restores: float
) -> float:
    """The snapshot of one version of a function for a month, and its restores; raises KeyError without a price."""
    snapstart = prices.functions[architecture].snapstart
    if snapstart is None:
        raise KeyError(f"snapstart on {architecture}")
    cache = SECONDS_PER_MONTH * snapstart.cache_gb_second.usd
    return memory_mb / 1024 * (cache + restores * snapstart.restored_gb.usd)


def ec2_usd_per_month(prices: RegionPrices, instance_type: str) -> float:
    """One instance on demand, Linux, without its disk; raises KeyError for a type that is not in the prices."""
    return prices.ec2[instance_type].usd * HOURS_PER_MONTH


def eks_usd_per_month(prices: RegionPrices) -> float | None:
    """One Kubernetes cluster in standard support, without its nodes; None where the price is unknown."""
    return prices.eks.usd * HOURS_PER_MONTH if prices.eks else None


def fargate_usd_per_month(
    prices: RegionPrices, *, cpus: float, task_memory_mb: float, architecture: Architecture
) -> float:
    """One task that runs for a month."""
    task = prices.fargate[architecture]
    return HOURS_PER_MONTH * (cpus * task.vcpu_hour.usd + task_memory_mb / 1024 * task.gb_hour.usd)


def load_balancer_units(
    unit: CapacityUnit, *, pictures_per_month: float, bytes_per_picture: float, rules: int = 1
) -> float:
    """Capacity units (LCU) that a load balancer needs on average: the largest of its four dimensions.

    It assumes one new connection per picture, active for one minute, and a month without peaks.
    """
    per_s = pictures_per_month / SECONDS_PER_MONTH
    return max(
        per_s / unit.new_connections_per_s,
        per_s * 60 / unit.active_connections_per_minute,
        per_s * 3600 * bytes_per_picture / 1e9 / unit.processed_gb_per_hour,
        per_s * max(0, rules - unit.free_rules) / unit.rule_evaluations_per_s,
    )


def alb_usd_per_month(
    prices: Prices, region: RegionPrices, *, pictures_per_month: float, bytes_per_picture: float
) -> float:
    """An application load balancer: its hours and its capacity units."""
    units = load_balancer_units(prices.lcu, pictures_per_month=pictures_per_month, bytes_per_picture=bytes_per_picture)
    return HOURS_PER_MONTH * (region.alb.hour.usd + units * region.alb.lcu_hour.usd)


def capacity_per_month(best_per_s: float) -> int:
    """Pictures that one instance serves in a month at 70% of its best throughput (pictures per second)."""
    return max(1, round(best_per_s * TARGET_BUSY * SECONDS_PER_MONTH))


def instances_needed(pictures_per_month: int, capacity: int) -> int:
    """The number of instances that auto scaling keeps for a volume, if one serves `capacity` pictures a month."""
    return max(MIN_INSTANCES, -(-pictures_per_month // capacity))


@dataclass(frozen=True)
class PayPerUse:
    """A monthly bill that grows with every picture."""

    usd_per_picture: float
    fixed_usd: float

    def usd(self, pictures: int) -> float:
        """The bill of a month with `pictures` pictures."""
        return self.fixed_usd + pictures * self.usd_per_picture


@dataclass(frozen=True)
class Instances:
    """A monthly bill that grows by steps: as many instances as the pictures need, and a load balancer.

    `capacity` is the number of pictures that one instance serves in a month at 70% of its best throughput. A T3
    (`burst`, at `surplus_usd` per processor and hour) costs more while its processors are busier than their baseline.
    """

    instance_usd: float
    balancer_usd: float
    balancer_usd_per_picture: float
    capacity: int
    burst: Burstable | None = None
    surplus_usd: float = 0.0

    def usd(self, pictures: int) -> float:
        """The bill of a month with `pictures` pictures, spread evenly over the month and the instances."""
        count = instances_needed(pictures, self.capacity)
        fixed = self.balancer_usd + count * self.instance_usd
        return fixed + pictures * self.balancer_usd_per_picture + self._surplus(pictures, count)

    def _surplus(self, pictures: int, count: int) -> float:
        if self.burst is None:
            return 0.0
        # All processors are assumed busy at the best throughput, and proportionally less below it.
        busy = pictures * TARGET_BUSY / self.capacity
        beyond = max(0.0, busy - count * self.burst.baseline)
        return HOURS_PER_MONTH * self.burst.vcpus * beyond * self.surplus_usd

    def corners(self, count: int) -> list[int]:
        """Ascending volumes between which the bill of `count` instances is linear; the last is their capacity."""
        volumes = [count * self.capacity]
        if self.burst is not None and self.burst.baseline < TARGET_BUSY:
            kink = count * self.capacity * self.burst.baseline / TARGET_BUSY
            # Two volumes, as the kink lies between whole numbers.
            volumes = [math.floor(kink), math.floor(kink) + 1, *volumes]
        return volumes
