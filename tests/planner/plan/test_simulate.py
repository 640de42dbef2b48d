"""One configuration under a demand: its figures and its bill, against sums by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loadtest.cost.prices import load_prices
from loadtest.cost.tariff import SECONDS_PER_MONTH, alb_usd_per_month, ec2_usd_per_month
from loadtest.platforms.registry import PLATFORMS
from planner.aws_lambda.rules import Rules
from planner.containers.changes import with_changes
from planner.plan.bill import bill
from planner.plan.candidates import ContainerCandidate, FunctionCandidate, HybridCandidate
from planner.plan.measured import ServiceTimes
from planner.plan.objective import parse_objective
from planner.plan.samples import Kind
from planner.plan.search import least_usd
from planner.plan.simulate import Simulated, simulate
from planner.plan.world import Demand, World, measure
from planner.scaling.books import load_book
from planner.traffic import load_traffic
from planner.traffic.shapes import DAY_S


def times(platform: str, warm_s: float, cold_s: float, **settings: object) -> ServiceTimes:
    """Measured times without chance; a detection takes four fifths of a response."""
    return ServiceTimes(platform, PLATFORMS[platform].parse(settings), platform, (kind([warm_s], cold_s),))


def kind(warm_s: list[float], cold_s: float = 3.0, share: float = 1.0, detect: float = 0.8) -> Kind:
    """Requests with one kind of picture; a detection takes a share of a response, and nine tenths are billed."""
    warm, cold = np.array(warm_s), np.array([cold_s])
    return Kind(f"{warm_s[0]:g}", share, warm, detect * warm, 0.9 * warm, cold, cold, 2000)


def world(**changes: object) -> World:
    given: dict[str, object] = {
        "functions": (times("lambda", 1.0, 3.0, memory_mb=2048),),
        "services": {"ecs": times("ecs", 1.0, 1.0)},
        "prices": load_prices(), "region": "us-east-1", "lifetimes": Rules(idle_s=600), "cores_per_request": 2.0,
    }  # fmt: skip
    return World(**{**given, **changes})  # type: ignore[arg-type]


def every(folder: Path, seconds: float) -> Demand:
    """A request every so many seconds for a day."""
    file = folder / "times.csv"
    file.write_text("".join(f"{time}\n" for time in np.arange(0, DAY_S + 1, seconds)))
    return measure(load_traffic(str(file)))


def ecs(least: int = 1, most: int = 1, queue: int | None = None) -> ContainerCandidate:
    book = with_changes(load_book("ecs"), min_replicas=least, max_replicas=most)
    return ContainerCandidate(book, "ECS", "ECS", "ecs", "t3a.xlarge", queue)


def lines(simulated: Simulated, candidate: object, given: World) -> dict[str, float]:
    found = bill(candidate, simulated, given)  # type: ignore[arg-type]
    assert found is not None
    return {line.what: line.usd for line in found}


def test_a_function_in_use_has_one_cold_start_and_is_billed_by_its_time(tmp_path: Path) -> None:
    demand, given, candidate = every(tmp_path, 10), world(), FunctionCandidate(2048)
    simulated = simulate(candidate, demand, given, 1)
    assert (simulated.collector.requests, simulated.collector.errors) == (8641, 0)
    assert simulated.collector.cold == pytest.approx(1 / 8641)
    assert simulated.collector.percentile(0.5) == pytest.approx(1.0, rel=0.005)
    assert simulated.collector.instances == pytest.approx(1.0, rel=0.001)
    found, prices = lines(simulated, candidate, given), given.region_prices
    months, function = SECONDS_PER_MONTH / DAY_S, prices.functions["x86_64"]
    assert found["warm requests, GB-seconds"] == pytest.approx(months * 8640 * 0.9 * 2 * function.gb_second.usd)
    assert found["cold starts, GB-seconds"] == pytest.approx(months * 3.0 * 2 * function.gb_second.usd)
    assert found["requests"] == pytest.approx(months * 8641 * function.request.usd)
    assert found["HTTP API"] == pytest.approx(months * 8641 * prices.http_api.usd / 1e6)


def test_a_rare_request_is_cold_each_time(tmp_path: Path) -> None:
    simulated = simulate(FunctionCandidate(2048), every(tmp_path, 1200), world(), 1)
    assert simulated.collector.cold == 1
    assert simulated.collector.percentile(0.5) == pytest.approx(3.0, rel=0.005)
    twice = simulate(FunctionCandidate(2048), every(tmp_path, 1200), world(cold_factor=2), 1)
    assert twice.collector.percentile(0.5) == pytest.approx(6.0, rel=0.005)


def test_provisioned_instances_take_cold_starts_away_and_cost_all_the_time(tmp_path: Path) -> None:
    demand, given, candidate = every(tmp_path, 1200), world(), FunctionCandidate(2048, provisioned=2)
    simulated = simulate(candidate, demand, given, 1)
    assert simulated.collector.cold == 0
    assert simulated.collector.instances == pytest.approx(2)
    price = given.region_prices.functions["x86_64"].provisioned_gb_second.usd
    expected = 2 * 2 * SECONDS_PER_MONTH * price
    assert lines(simulated, candidate, given)["provisioned instances"] == pytest.approx(expected)


def test_snapstart_restores_instead_of_starting_and_pays_for_the_snapshot(tmp_path: Path) -> None:
    demand, given, candidate = every(tmp_path, 1200), world(restore_s=0.5), FunctionCandidate(2048, snapstart=True)
    simulated = simulate(candidate, demand, given, 1)
    assert simulated.collector.percentile(0.5) == pytest.approx(1.5, rel=0.005)
    snapstart = given.region_prices.functions["x86_64"].snapstart
    assert snapstart is not None
    restores = simulated.collector.requests * SECONDS_PER_MONTH / demand.length_s
    expected = 2 * (SECONDS_PER_MONTH * snapstart.cache_gb_second.usd + restores * snapstart.restored_gb.usd)
    assert lines(simulated, candidate, given)["SnapStart"] == pytest.approx(expected)


def test_what_takes_longer_than_api_gateway_waits_is_an_error_that_is_billed(tmp_path: Path) -> None:
    slow = world(functions=(times("lambda", 31.0, 32.0, memory_mb=2048),))
    simulated = simulate(FunctionCandidate(2048), every(tmp_path, 600), slow, 1)
    assert simulated.collector.errors == 1
    assert simulated.function is not None and simulated.function.warm + simulated.function.cold > 0


def test_throttled_requests_are_errors_that_are_not_billed(tmp_path: Path) -> None:
    limited = world(lifetimes=Rules(idle_s=600, concurrency=1))
    simulated = simulate(FunctionCandidate(2048), every(tmp_path, 0.75), limited, 1)
    assert simulated.collector.errors == pytest.approx(0.5, rel=0.01)
    assert simulated.function is not None
    assert simulated.function.warm + simulated.function.cold == pytest.approx(
        simulated.collector.requests / 2, rel=0.01
    )


def test_one_container_answers_at_its_pace_and_costs_an_instance_and_a_load_balancer(tmp_path: Path) -> None:
    demand, given, candidate = every(tmp_path, 10), world(), ecs()
    simulated = simulate(candidate, demand, given, 1)
    assert simulated.collector.percentile(0.99) == pytest.approx(1.0, rel=0.005)
    assert (simulated.collector.errors, simulated.collector.cold) == (0, 0)
    assert simulated.collector.instances == pytest.approx(1)
    found, prices = lines(simulated, candidate, given), given.region_prices
    assert found["t3a.xlarge instances"] == pytest.approx(ec2_usd_per_month(prices, "t3a.xlarge"))
    pictures = 8641 * SECONDS_PER_MONTH / DAY_S
    balancer = alb_usd_per_month(given.prices, prices, pictures_per_month=pictures, bytes_per_picture=3000)
    assert found["load balancer"] == pytest.approx(balancer)
    # 0.8 s of two cores every 10 s are below the baseline of 40% of four.
    assert found["surplus CPU credits"] == 0


def test_an_overloaded_container_refuses_and_a_hybrid_sends_the_overflow_to_a_function(tmp_path: Path) -> None:
    demand, given = every(tmp_path, 0.4), world()
    alone = simulate(ecs(queue=16), demand, given, 1)
    assert alone.collector.errors == pytest.approx(0.5, abs=0.02)
    hybrid = HybridCandidate(ecs(queue=2), FunctionCandidate(2048))
    both = simulate(hybrid, demand, given, 1)
    assert both.collector.errors == 0
    assert both.collector.percentile(0.99) < 2
    assert both.function is not None and both.containers is not None
    assert both.function.warm + both.function.cold == both.containers.refused == pytest.approx(108_000, rel=0.02)
    found = lines(both, hybrid, given)
    assert {"t3a.xlarge instances", "load balancer", "warm requests, GB-seconds"} <= set(found)


def test_fargate_costs_by_the_time_of_its_tasks(tmp_path: Path) -> None:
    book = with_changes(load_book("fargate"), min_replicas=2, max_replicas=2)
    candidate, given = ContainerCandidate(book, "Fargate", "Fargate", "fargate", "4 CPUs"), world()
    found = lines(simulate(candidate, every(tmp_path, 10), given, 1), candidate, given)
    task = given.region_prices.fargate["x86_64"]
    expected = 2 * 730 * (4 * task.vcpu_hour.usd + 8 * task.gb_hour.usd)
    assert found["Fargate tasks of 4 CPUs"] == pytest.approx(expected)


@pytest.mark.slow
def test_a_platform_without_a_price_has_no_bill(tmp_path: Path) -> None:
    candidate = ContainerCandidate(load_book("eks"), "Kubernetes HPA on EKS", "Kubernetes", "eks", "t3a.xlarge")
    prices = load_prices()
    regions = {name: one.model_copy(update={"eks": None}) for name, one in prices.regions.items()}
    given = world(prices=prices.model_copy(update={"regions": regions}))
    assert bill(candidate, simulate(candidate, every(tmp_path, 60), given, 1), given) is None


@pytest.mark.parametrize("name", ["eks", "eks-knative"])
@pytest.mark.slow
def test_kubernetes_costs_a_cluster_its_nodes_and_a_load_balancer(tmp_path: Path, name: str) -> None:
    candidate, given = ContainerCandidate(load_book(name), name, "Kubernetes", "eks", "t3a.xlarge"), world()
    demand = every(tmp_path, 10)
    found = lines(simulate(candidate, demand, given, 1), candidate, given)
    assert found["EKS cluster"] == pytest.approx(73)
    # One pod serves a request every 10 s, so one node is enough, but for a pod too many after the first request.
    node = ec2_usd_per_month(given.region_prices, "t3a.xlarge")
    assert node <= found["t3a.xlarge instances"] < 1.04 * node
    assert sum(found.values()) > least_usd(candidate, demand, given, parse_objective("p95<=2s")) > 73 + 109


def test_a_node_comes_with_the_pod_that_needs_it_and_leaves_after_ten_minutes(tmp_path: Path) -> None:
    candidate, given = ContainerCandidate(load_book("eks"), "eks", "Kubernetes", "eks", "t3a.xlarge"), world()
    file = tmp_path / "hour.csv"
    # Five minutes of work for two pods, and nothing afterwards.
    file.write_text("".join(f"{time}\n" for time in [*np.arange(0, 300, 0.6), 7199]))
    usage = simulate(candidate, replace(measure(load_traffic(str(file))), cut_s=7200), given, 1).containers
    assert usage is not None
    extra_s = usage.instance_s - 7200
    # A minute after the load the HPA removes the pods, ten minutes later the nodes go.
    assert usage.most_instances > 1
    assert 660 < extra_s / (usage.most_instances - 1) < 300 + 60 + 600 + 60


def test_a_dearer_platform_is_dearer_in_every_line(tmp_path: Path) -> None:
    demand, candidate = every(tmp_path, 60), FunctionCandidate(2048)
    simulated = simulate(candidate, demand, world(), 1)
    usual, dearer = lines(simulated, candidate, world()), lines(simulated, candidate, world(dearer={"Lambda": 1.1}))
    assert dearer == pytest.approx({what: 1.1 * usd for what, usd in usual.items()})
    assert lines(simulated, candidate, world(dearer={"ECS": 1.1})) == usual


def test_the_first_seed_takes_the_measured_times_and_the_others_resample_them(tmp_path: Path) -> None:
    function = times("lambda", 1.0, 3.0, memory_mb=2048)
    spread = world(functions=(replace(function, kinds=(kind([0.5, 1.0, 2.0, 4.0]),)),))
    demand, candidate = every(tmp_path, 30), FunctionCandidate(2048)
    found = [simulate(candidate, demand, spread, seed) for seed in (1, 1, 2, 3, 4, 5, 6)]
    slowest = [one.collector.percentile(0.95) for one in found]
    assert slowest[0] == slowest[1] == pytest.approx(4.0, rel=0.005)
    assert len(set(slowest)) > 1
    bills = [lines(one, candidate, spread)["warm requests, GB-seconds"] for one in found]
    assert bills[0] == bills[1] and len(set(bills)) > 3


def test_a_mix_has_its_shares_in_latencies_and_in_the_bill(tmp_path: Path) -> None:
    demand, function = every(tmp_path, 30), times("lambda", 1.0, 3.0, memory_mb=2048)
    mixed = (kind([1.0], share=0.7), kind([2.0], share=0.3, detect=0.5))
    service = replace(times("ecs", 1.0, 1.0), kinds=mixed)
    given = world(functions=(replace(function, kinds=mixed),), services={"ecs": service})
    for candidate in (FunctionCandidate(2048), ecs()):
        found = simulate(candidate, demand, given, 1).collector
        assert found.percentile(0.6) == pytest.approx(1.0, rel=0.005)
        assert found.percentile(0.8) == pytest.approx(2.0, rel=0.005)
    simulated = simulate(FunctionCandidate(2048), demand, given, 1)
    assert simulated.function is not None and simulated.containers is None
    gb_seconds = simulated.function.warm * 0.9 * 1.3 * 2 * SECONDS_PER_MONTH / DAY_S
    usd = gb_seconds * given.region_prices.functions["x86_64"].gb_second.usd
    assert lines(simulated, FunctionCandidate(2048), given)["warm requests, GB-seconds"] == pytest.approx(usd)
