"""The assumptions of a plan, each with its source."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from loadtest.cost.offers import LEFT_OUT
from planner.aws_lambda.rules import Rules
from planner.plan.candidates import Candidate, ContainerCandidate
from planner.plan.simulate import API_GATEWAY_S
from planner.plan.world import World
from planner.scaling.books import Assumption

USUAL_PICTURE = "scenes"
_SPOT = (
    "--spot-interruptions; https://aws.amazon.com/ec2/spot/instance-advisor/ has it by type; "
    "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/container-instance-spot.html"
)


def assumptions(world: World, candidates: Sequence[Candidate], *, picture: str, lifetimes: str) -> list[Assumption]:
    """All assumptions of these configurations; `picture` and `lifetimes` as the user gave them."""
    books = {one.book.title: one.book for one in candidates if isinstance(one, ContainerCandidate)}
    return [
        *_times(world, picture),
        *_function(world, lifetimes),
        *_containers(world),
        Assumption("cost", LEFT_OUT, "loadtest/cost/prices.json"),
        Assumption("month", "730 hours of the simulated traffic, repeated", "as in the report of the load tests"),
        *(
            Assumption(f"{title}: {one.name}", one.value, one.source)
            for title, book in books.items()
            for one in book.assumptions()
        ),
    ]


def _times(world: World, picture: str) -> Iterator[Assumption]:
    yield Assumption(
        "service times", "requests that no other request of their run overlapped", "the measured runs, docs/planner.md"
    )
    yield Assumption("pictures", picture, "--picture")
    if len(world.functions[0].kinds) > 1:
        yield Assumption(
            "mix of pictures", "each request has a random kind; with Knative only the detection depends on it",
            "assumption: a traffic does not tell its pictures",
        )  # fmt: skip
    if picture != USUAL_PICTURE:
        yield Assumption(
            "cold starts with pictures that no cold start was measured with",
            "those with other pictures, plus the difference of the mean warm responses",
            "assumption: the start does not depend on the picture",
        )
    yield Assumption(
        "processors", "each function, instance and task is as fast as the measured one, whatever its type",
        "assumption; measure on AWS to replace it",
    )  # fmt: skip
    if len(world.functions) > 1:
        yield Assumption(
            "memory between measured sizes", "time over processors, interpolated", "the measured runs of Lambda"
        )


def _function(world: World, lifetimes: str) -> Iterator[Assumption]:
    rules = world.lifetimes
    yield Assumption("Lambda: lifetime of instances", f"{lifetimes}: {_shown(rules)}", "docs/planner.md")
    yield Assumption(
        "Lambda: concurrency",
        f"{rules.concurrency} at once, {rules.burst} new in {rules.burst_s:g} s; beyond that status 429",
        "https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html",
    )
    if world.restore_s is not None:
        yield Assumption(
            "Lambda: restore of a snapshot", f"{world.restore_s:g} s, then a warm request",
            "--restore-s; nothing was measured",
        )  # fmt: skip
    yield Assumption(
        "API Gateway: longest request", f"{API_GATEWAY_S:g} s; a longer one fails, but is billed",
        "https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html",
    )  # fmt: skip


def _containers(world: World) -> Iterator[Assumption]:
    yield Assumption(
        "containers: cores of a busy replica", f"{world.cores_per_request:g}",
        "deployment/README.md: assumption for YOLOv7-W6, the processors of the local Lambda with 3000 MB",
    )  # fmt: skip
    yield Assumption(
        "hybrid: router", "a router sends a request to Lambda if each container has others waiting",
        "assumption: this project has no such router",
    )  # fmt: skip
    yield Assumption(
        "T3 instances: CPU credits", "unlimited mode: they never become slower, and surplus credits are billed",
        "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/burstable-performance-instances-unlimited-mode.html",
    )  # fmt: skip
    yield Assumption(
        "EKS: load balancer", "an application load balancer in front of the cluster; kube-proxy chooses the pod",
        "assumption: deployment/kubernetes has none",
    )  # fmt: skip
    if world.spot is not None:
        yield Assumption(
            "spot: price", f"{100 * world.spot.discount:.4g}% off the list price",
            "--spot-discount; the price changes, and AWS publishes no fixed one",
        )  # fmt: skip
        yield Assumption(
            "spot: interruptions",
            f"{100 * world.spot.interrupted:.4g}% of the instances a month; all requests from a notice until a new "
            "instance has booted and its task is ready count as errors; a new instance is always available",
            _SPOT,
        )


def _shown(rules: Rules) -> str:
    """The lifetimes in words."""
    parts = []
    if math.isfinite(rules.idle_s):
        parts.append(f"an idle instance leaves after {rules.idle_s:g} s")
    if math.isfinite(rules.function_idle_s):
        parts.append(f"all leave {rules.function_idle_s:g} s after the function's last response")
    if math.isfinite(rules.halving_s):
        parts.append(f"half of the idle ones leave every {rules.halving_s:g} s")
    if math.isfinite(rules.oldest_s[1]):
        parts.append(f"none becomes older than {rules.oldest_s[0]:g} to {rules.oldest_s[1]:g} s")
    return ", ".join(parts)
