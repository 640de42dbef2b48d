"""The configurations to try, and the search that leaves out those that cannot win."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from loadtest.cost.tariff import SECONDS_PER_MONTH, lambda_usd_per_request, provisioned_usd_per_month
from loadtest.platforms.ecs import EcsSettings
from planner.containers.changes import with_changes
from planner.plan.bill import has_price, least_containers_usd
from planner.plan.candidates import Candidate, ContainerCandidate, FunctionCandidate, HybridCandidate
from planner.plan.evaluate import evaluate_all, rank
from planner.plan.objective import Objective
from planner.plan.types import Outcome
from planner.plan.world import Demand, World
from planner.scaling.books import load_book

OVERFLOW_QUEUE = 2  # Requests in each container, one of which waits, before the next one goes to the function.
BETWEEN = (1024, 1280, 1536, 1792, 2048, 2560, 3000, 3538)  # MB, tried by a search where they lie between measured ones
PROVISIONED = (1, 2, 4, 8, 16)
HYBRID_BELOW = 3  # Containers at least, in a hybrid that a search tries.
TARGETS = (50, 70, 85)
LEAST = (1, 2, 3, 5)
ARM = re.compile(r"[0-9]g")  # In the family of an instance type, e.g. c7g.
AT_ONCE = 4  # Configurations that are simulated before the cheapest is looked for.
FEW_SEEDS = 2
FINALISTS = 3  # Configurations of each platform that are simulated with all seeds.


def usual(world: World, instance_type: str) -> list[Candidate]:
    """The configurations of the templates: every measured size of Lambda, containers by each book, and a hybrid."""
    plain = [FunctionCandidate(memory_mb) for memory_mb in world.memory_sizes]
    functions = [*plain, *_snapstart(world, world.memory_sizes)]
    containers = [
        _container("ecs", "ECS", "ecs", instance_type),
        _container("ecs-20s", "ECS, 20 s metrics", "ecs", instance_type),
        _container("ecs-idle", "ECS, one idle minute", "ecs", instance_type),
        _container("fargate", "Fargate", "fargate"),
        _container("fargate-20s", "Fargate, 20 s metrics", "fargate"),
        *_kubernetes(instance_type),
    ]
    containers += _spot(world, containers)
    return [*functions, *containers, *_hybrids(plain, containers[1:2])]


def wide(world: World, instance_type: str, peak_per_s: float) -> list[Candidate]:
    """All that a search tries, for a traffic with this rate in its busiest minute."""
    low, high = min(world.memory_sizes, default=0), max(world.memory_sizes, default=0)
    sizes = sorted({*world.memory_sizes, *(size for size in BETWEEN if low < size < high)})
    plain = [FunctionCandidate(memory_mb) for memory_mb in sizes]
    provisioned = [FunctionCandidate(memory_mb, count) for memory_mb, count in itertools.product(sizes, PROVISIONED)]
    types = [name for name in world.region_prices.ec2 if _alike(instance_type, name)]
    most = _most_replicas(world, peak_per_s)
    containers: list[ContainerCandidate] = []
    for least, target, metrics in itertools.product((one for one in LEAST if one <= most), TARGETS, ("", "-20s")):
        changes = {"min_replicas": least, "max_replicas": most}
        title = f"{', 20 s metrics' if metrics else ''}, {target}%"
        containers += [_container(f"ecs{metrics}", f"ECS {one}{title}", "ecs", one, target, **changes) for one in types]
        containers.append(_container(f"fargate{metrics}", f"Fargate{title}", "fargate", "", target, **changes))
    for least, one in itertools.product((one for one in LEAST if one <= most), types):
        changes = {"min_replicas": least, "max_replicas": most}
        containers.append(_container("ecs-idle", f"ECS {one}, one idle minute", "ecs", one, **changes))
    containers += _spot(world, containers)
    base = [one for one in containers if not one.spot and one.size == instance_type and one.name.endswith("70%")]
    few = [one for one in base if one.book.scaler.min_replicas < HYBRID_BELOW]
    return [
        *plain,
        *provisioned,
        *_snapstart(world, sizes),
        *containers,
        *_hybrids(plain, few),
        *_kubernetes(instance_type, most),
    ]


def _kubernetes(instance_type: str, most: int | None = None) -> list[ContainerCandidate]:
    """Kubernetes on EKS; its rules are for nodes with the processors of the templates' instances."""
    usual_type = EcsSettings().instance_type
    node = instance_type if _alike(usual_type, instance_type) else usual_type
    changes = {} if most is None else {"max_replicas": most}
    return [
        _container("eks", "Kubernetes HPA on EKS", "eks", node, **changes),
        _container("eks-knative", "Knative on EKS", "eks", node, **changes),
    ]


def search(
    candidates: Sequence[Candidate],
    demand: Demand,
    world: World,
    objective: Objective,
    seeds: int,
    progress: Callable[[str], None],
) -> tuple[list[tuple[Candidate, Outcome]], list[str], bool]:
    """Outcomes in the order of the plan, what was left out, and whether the search came to its end.

    A configuration cannot win if the least that it costs exceeds the bill of one on the same platform that meets the
    objective. Ctrl-C ends the search and keeps what is finished.
    """
    searched = _Search(candidates, demand, world, objective, progress)
    try:
        searched.run(seeds)
    except KeyboardInterrupt:
        if not searched.found:
            raise
        return searched.ranked(), [], False
    return searched.ranked(), _notes(len(searched.left)), True


class _Search:
    """A search: what was simulated so far, and what was not, both by label."""

    def __init__(
        self, candidates: Sequence[Candidate], demand: Demand, world: World, objective: Objective,
        progress: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.found: dict[str, tuple[Candidate, Outcome]] = {}
        self.left = {one.label: one for one in candidates}
        self._given = demand, world, objective
        self._least = {one.label: least_usd(one, demand, world, objective) for one in candidates}
        self._progress = progress

    def run(self, seeds: int) -> None:
        """Simulate what may win with few seeds, and the best with all; if these decide otherwise, go on."""
        sure: set[str] = set()
        while True:
            self._try_left(min(seeds, FEW_SEEDS))
            best = [candidate for candidate, _ in finalists(self.ranked()) if candidate.label not in sure]
            if seeds <= FEW_SEEDS or not best:
                return
            for candidate, one in evaluate_all(best, *self._given, seeds):
                self.found[one.label] = candidate, one
                sure.add(one.label)

    def ranked(self) -> list[tuple[Candidate, Outcome]]:
        """All that was simulated, in the order of the plan."""
        return sorted(self.found.values(), key=lambda pair: rank(pair[0], pair[1], self._given[2]))

    def _try_left(self, seeds: int) -> None:
        for group in _by_platform(list(self.left.values())):
            ordered = sorted(group, key=lambda one: self._least[one.label])
            while part := [one for one in ordered[:AT_ONCE] if self._may_win(one)]:
                ordered = ordered[len(part) :]
                for candidate, one in evaluate_all(part, *self._given, seeds):
                    self.found[one.label] = candidate, one
                    del self.left[one.label]
                    self._progress(f"{len(self.found)} of at most {len(self.found) + len(self.left)}: {one.label}")

    def _may_win(self, candidate: Candidate) -> bool:
        """Whether it may cost as little as the cheapest of its platform that meets the objective, to the cent."""
        bills = [
            one.figures.usd.value for _, one in self.found.values()
            if one.platform == candidate.platform and one.meets and one.figures.usd
        ]  # fmt: skip
        return round(self._least[candidate.label], 2) <= round(min(bills, default=math.inf), 2)


def finalists(found: Sequence[tuple[Candidate, Outcome]], count: int = FINALISTS) -> list[tuple[Candidate, Outcome]]:
    """The first ones of each platform, in their order."""
    seen: dict[str, int] = {}
    chosen = []
    for candidate, one in found:
        seen[one.platform] = seen.get(one.platform, 0) + 1
        if seen[one.platform] <= count:
            chosen.append((candidate, one))
    return chosen


def least_usd(candidate: Candidate, demand: Demand, world: World, objective: Objective) -> float:
    """A lower bound of the bill of a month that meets the objective; 0 without a price.

    A function has warm requests only, without the errors that are allowed; containers are the fewest.
    """
    pictures = demand.per_s * SECONDS_PER_MONTH
    prices = world.region_prices
    if isinstance(candidate, FunctionCandidate):
        times = world.function(candidate.memory_mb)
        request = lambda_usd_per_request(
            prices,
            memory_mb=candidate.memory_mb,
            architecture=world.architecture,
            billed_ms=times.warm_billed_s * 1000 - 1,
            answer_bytes=times.answer_bytes,
        )
        provisioned = provisioned_usd_per_month(
            prices, memory_mb=candidate.memory_mb, architecture=world.architecture, instances=candidate.provisioned
        )
        return pictures * (1 - objective.most_errors) * request + provisioned
    containers = candidate.containers if isinstance(candidate, HybridCandidate) else candidate
    return least_containers_usd(containers, world) if has_price(containers, world) else 0.0


def _alike(instance_type: str, other: str) -> bool:
    """Whether two instance types have as many processors and the same architecture, by their names."""
    (family, _, size), (other_family, _, other_size) = instance_type.partition("."), other.partition(".")
    return size == other_size and bool(ARM.search(family)) == bool(ARM.search(other_family))


def _most_replicas(world: World, peak_per_s: float) -> int:
    """At least the templates' five, and enough for the busiest minute at half use."""
    detect_s = world.service("ecs").detect_s
    return min(100, max(5, math.ceil(2 * peak_per_s * detect_s)))


def _spot(world: World, containers: Sequence[ContainerCandidate]) -> list[ContainerCandidate]:
    """Those on ECS on spot instances too, where a discount is given."""
    if world.spot is None:
        return []
    return [replace(one, spot=True) for one in containers if one.price_of == "ecs"]


def _snapstart(world: World, sizes: Sequence[int]) -> list[FunctionCandidate]:
    """Functions with SnapStart, where a restore time is given and the region has prices."""
    if world.restore_s is None or world.region_prices.functions[world.architecture].snapstart is None:
        return []
    return [FunctionCandidate(memory_mb, snapstart=True) for memory_mb in sizes]


def _container(
    book: str, name: str, price_of: str, size: str = "", target: float | None = None, **changes: int
) -> ContainerCandidate:
    """Containers by a book; `target` is in percent of the cores that a replica can use, not of what it reserves."""
    rules = load_book(book)
    share = rules.replica.cores / rules.replica.request_cores
    changed = with_changes(rules, target_percent=None if target is None else target * share, **changes)
    title = {"ecs": "ECS", "fargate": "Fargate", "eks": name.partition(" ")[0]}[price_of]
    cpus = f"{rules.replica.request_cores:g} CPUs" if price_of == "fargate" else ""
    return ContainerCandidate(changed, name, title, price_of, size or cpus)


def _hybrids(
    functions: Sequence[FunctionCandidate], containers: Sequence[ContainerCandidate]
) -> Iterator[HybridCandidate]:
    for function, base in itertools.product(functions, containers):
        yield HybridCandidate(replace(base, queue=OVERFLOW_QUEUE), function)


def _by_platform(candidates: Sequence[Candidate]) -> list[list[Candidate]]:
    groups: dict[str, list[Candidate]] = {}
    for one in candidates:
        groups.setdefault(one.platform, []).append(one)
    return list(groups.values())


def _notes(left_out: int) -> list[str]:
    if not left_out:
        return []
    return [f"{left_out} configurations were left out: even at their least cost they are dearer than one that meets"]
