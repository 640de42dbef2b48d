"""The rules of autoscalers as data: a parameter has a default with its source, or a book gives both."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_KUBERNETES = "https://kubernetes.io/docs/reference"
_FLAGS = f"{_KUBERNETES}/command-line-tools-reference/kube-controller-manager/"
_PHASE = "assumption: as in the recordings of the controller, metrics are 13 s old at a beat"
_BEHAVIOR = "https://github.com/kubernetes/kubernetes/blob/v1.34.4/pkg/apis/autoscaling/v2/defaults.go"
_METRICS_SERVER = "https://github.com/kubernetes-sigs/metrics-server#readme (--metric-resolution)"
_TRACKING = "https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html"
_STEPS = "https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html"
_CLUSTER = "https://aws.amazon.com/blogs/containers/deep-dive-on-amazon-ecs-cluster-auto-scaling/"
_MANAGED = "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ManagedScaling.html"
_ALARMS = f"{_TRACKING}; the number is that of the alarms which AWS creates for a policy"
_CLUSTER_ALARMS = f"{_CLUSTER}; the number is that of the alarms which AWS creates for a capacity provider"
_KNATIVE = "https://knative.dev/docs/serving/autoscaling/kpa-specific/"
_KNATIVE_MAP = "https://github.com/knative/serving/blob/main/config/core/configmaps/autoscaler.yaml"

MOST_REPLICAS = 10_000
MOST_SECONDS_OF_RULES = 86_400.0


def sourced(default: Any, source: str, **bounds: Any) -> Any:
    """A parameter with its default and the source of that default."""
    return Field(default, description=source, **bounds)


def seconds(default: Any, source: str, *, low: float = 0) -> Any:
    """A duration of at least `low` and at most a day, with its default and the default's source."""
    return sourced(default, source, ge=low, le=MOST_SECONDS_OF_RULES)


class Rules(BaseModel):
    """Base of all rules: immutable, without unknown names, NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Replica(Rules):
    """One replica: the most cores it can use, the cores its utilization is measured against, and its times.

    `pending_s` passes from its creation until its container runs (scheduling, pulling the image), `startup_s` from its
    creation until it is ready.
    """

    cores: float = Field(gt=0, le=1024)
    request_cores: float = Field(ge=0.001, le=1024)
    idle_cores: float = sourced(0.0, "assumption: a replica that starts uses no CPU", ge=0, le=1024)
    pending_s: float = Field(ge=0, le=MOST_SECONDS_OF_RULES)
    startup_s: float = Field(ge=0, le=MOST_SECONDS_OF_RULES)

    @model_validator(mode="after")
    def _starts_before_it_is_ready(self) -> Replica:
        if self.pending_s > self.startup_s:
            raise ValueError(f"pending_s {self.pending_s:g} must be at most startup_s {self.startup_s:g}")
        return self


class Bounds(Rules):
    """The fewest and the most replicas."""

    min_replicas: int = Field(ge=0, le=MOST_REPLICAS)
    max_replicas: int = Field(ge=1, le=MOST_REPLICAS)

    @model_validator(mode="after")
    def _are_in_order(self) -> Bounds:
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"min_replicas {self.min_replicas} must be at most max_replicas {self.max_replicas}")
        return self


class Policy(Rules):
    """A limit of the HPA: at most this many pods, or percent of the replicas, added or removed in a period."""

    type: Literal["Pods", "Percent"]
    value: int = Field(gt=0, le=1_000_000)
    period_s: int = Field(gt=0, le=1800)


class Direction(Rules):
    """The HPA's behavior in one direction; an absent stabilization window is the controller's own."""

    policies: tuple[Policy, ...] = Field(min_length=1)
    select: Literal["Max", "Min", "Disabled"] = sourced("Max", _BEHAVIOR)
    stabilization_s: int | None = sourced(None, _FLAGS, ge=0, le=3600)


SCALE_UP = Direction(
    policies=(Policy(type="Pods", value=4, period_s=15), Policy(type="Percent", value=100, period_s=15)),
    stabilization_s=0,
)
SCALE_DOWN = Direction(policies=(Policy(type="Percent", value=100, period_s=15),))


class Behavior(Rules):
    """The HPA's behavior up and down."""

    up: Direction = sourced(SCALE_UP, _BEHAVIOR)
    down: Direction = sourced(SCALE_DOWN, _BEHAVIOR)


class HpaRules(Bounds):
    """The Kubernetes HPA on the utilization of CPU requests, by the controller's own defaults.

    Without `behavior` the controller takes an older path: the flag's stabilization window down, and up at most twice
    the replicas or four. `first_sync_s` and `first_window_s` place the beats of the controller and the ends of the
    windows of the metrics on the clock of the simulation.
    """

    kind: Literal["hpa"] = "hpa"
    min_replicas: int = sourced(1, _BEHAVIOR, ge=1, le=MOST_REPLICAS)
    target_percent: int = sourced(80, _BEHAVIOR, ge=1, le=1000)
    sync_s: float = seconds(15, _FLAGS, low=1)
    first_sync_s: float = seconds(14, _PHASE)
    tolerance: float = sourced(0.1, _FLAGS, ge=0, lt=1)
    initial_readiness_s: float = seconds(30, _FLAGS)
    cpu_initialization_s: float = seconds(300, _FLAGS)
    downscale_stabilization_s: float = seconds(300, _FLAGS)
    window_s: float = seconds(15, _METRICS_SERVER, low=1)
    first_window_s: float = seconds(1, _PHASE)
    behavior: Behavior | None = sourced(None, _BEHAVIOR)


class TargetTrackingRules(Bounds):
    """Target tracking of the mean CPU utilization of ECS tasks, percent.

    `delay_s` passes from the end of a period until the alarm acts on its point. The alarm to scale in sees the means of
    `in_period_s`.
    """

    kind: Literal["target-tracking"] = "target-tracking"
    target_percent: float = Field(gt=0, le=1000)
    period_s: float = seconds(
        60, "https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cloudwatch-metrics.html", low=1
    )
    delay_s: float = Field(ge=0, le=MOST_SECONDS_OF_RULES)
    first_period_s: float = seconds(60, "assumption: periods begin with the simulation", low=0)
    out_points: int = sourced(3, _ALARMS, ge=1, le=100)
    in_period_s: float = seconds(60, _ALARMS, low=1)
    in_points: int = sourced(15, _ALARMS, ge=1, le=100)
    in_share: float = sourced(0.9, _ALARMS, gt=0, le=1)
    out_cooldown_s: float = seconds(300, _TRACKING)
    in_cooldown_s: float = seconds(300, _TRACKING)

    @model_validator(mode="after")
    def _points_make_whole_periods(self) -> TargetTrackingRules:
        if self.in_period_s % self.period_s:
            raise ValueError(f"in_period_s {self.in_period_s:g} must be a multiple of period_s {self.period_s:g}")
        return self


class Step(Rules):
    """An alarm of step scaling and what it does: adds `change` replicas, or sets their number to `exactly`."""

    when: Literal["above", "below"]
    percent: float = Field(ge=0, le=1000)
    points: int = Field(ge=1, le=100)
    change: int | None = Field(None, ge=-MOST_REPLICAS, le=MOST_REPLICAS)
    exactly: int | None = Field(None, ge=0, le=MOST_REPLICAS)
    cooldown_s: float = seconds(300, _STEPS)

    @model_validator(mode="after")
    def _does_one_thing(self) -> Step:
        if (self.change is None) == (self.exactly is None):
            raise ValueError("exactly one of change and exactly is needed")
        return self


class StepRules(Bounds):
    """Step scaling on alarms of one's own on the mean CPU utilization."""

    kind: Literal["step"] = "step"
    period_s: float = seconds(60, _STEPS, low=1)
    delay_s: float = Field(ge=0, le=MOST_SECONDS_OF_RULES)
    first_period_s: float = seconds(60, "assumption: periods begin with the simulation", low=0)
    steps: tuple[Step, ...] = Field(min_length=1, max_length=20)


class KnativeRules(Bounds):
    """The Knative pod autoscaler on concurrent requests; demand in cores is divided by `cores_per_request`."""

    kind: Literal["knative"] = "knative"
    cores_per_request: float = Field(gt=0, le=1024)
    target_concurrency: float = sourced(100, _KNATIVE_MAP, gt=0, le=100_000)
    utilization: float = sourced(0.7, _KNATIVE_MAP, gt=0, le=1)
    tick_s: float = seconds(2, _KNATIVE_MAP, low=1)
    stable_window_s: float = seconds(60, _KNATIVE, low=6)
    panic_window_share: float = sourced(0.1, _KNATIVE, gt=0, le=1)
    panic_threshold: float = sourced(2.0, _KNATIVE, gt=1, le=10)
    most_up_rate: float = sourced(1000.0, _KNATIVE, gt=1, le=1_000_000)
    most_down_rate: float = sourced(2.0, _KNATIVE, gt=1, le=1_000_000)
    grace_s: float = seconds(30, f"{_KNATIVE_MAP}: an upper bound, taken in full")


class InstanceRules(Bounds):
    """EC2 instances behind a capacity provider with managed scaling; bounds are those of the Auto Scaling group.

    An instance takes `tasks_each` tasks after `boot_s`. It is removed only when it has none.
    """

    tasks_each: int = Field(ge=1, le=1000)
    boot_s: float = Field(ge=0, le=MOST_SECONDS_OF_RULES)
    target_percent: float = sourced(100, _MANAGED, gt=0, le=100)
    period_s: float = seconds(60, _CLUSTER, low=1)
    delay_s: float = seconds(0, "assumption: the metric acts at the end of its period")
    out_points: int = sourced(1, _CLUSTER_ALARMS, ge=1, le=100)
    in_points: int = sourced(15, _CLUSTER_ALARMS, ge=1, le=100)
    warmup_s: float = seconds(300, _MANAGED)
    least_step: int = sourced(1, _MANAGED, ge=1, le=10_000)
    most_step: int = sourced(10_000, _MANAGED, ge=1, le=10_000)


ScalerRules = Annotated[HpaRules | TargetTrackingRules | StepRules | KnativeRules, Field(discriminator="kind")]
