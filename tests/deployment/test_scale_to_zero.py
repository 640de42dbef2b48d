"""Knative's Service in place of the Deployment: its schema, what kustomize builds, and what both share."""

from __future__ import annotations

import copy
import importlib.util
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from planner.scaling.books import load_book
from planner.scaling.simulate import simulate
from tests.deployment.test_kubernetes import FOLDER, VERSIONS, Document, build, container, fault, literals, read

HERE = FOLDER / "scale-to-zero"
# Ports of Knative's proxy, which a container may not have.
RESERVED = {8008, 8012, 8013, 8022, 8112, 9090, 9091}


def service() -> Document:
    return dict(yaml.safe_load((HERE / "service.yaml").read_text()))


def knative() -> Document:
    """The container of Knative's Service."""
    [only] = service()["spec"]["template"]["spec"]["containers"]
    return dict(only)


def knative_fault(document: Document) -> str | None:
    """The first fault of a document by the schema of Knative's resource, unknown fields included."""
    if importlib.util.find_spec("cloudcoil") is None:
        pytest.skip("cloudcoil.models.knative_serving is not installed")
    from cloudcoil.models.knative_serving.serving.v1 import Service

    try:
        Service.model_validate(document, extra="forbid", strict=True)
    except ValidationError as exc:
        [problem, *_] = exc.errors()
        return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
    return None


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Document]:
    """What kustomize builds with the component, by kind."""
    copied = shutil.copytree(FOLDER, tmp_path_factory.mktemp("kustomize") / "kubernetes")
    file = copied / "kustomization.yaml"
    commented = "# components:\n#   - in-flight\n"
    assert file.read_text().count(commented) == 1
    file.write_text(file.read_text().replace(commented, "components:\n  - scale-to-zero\n"))
    return build(copied)


def test_knative_accepts_the_service() -> None:
    assert knative_fault(service()) is None


def _misspell(document: Document) -> None:
    document["spec"]["template"]["spec"]["containerConcurency"] = 1


def _text_for_number(document: Document) -> None:
    document["spec"]["template"]["spec"]["timeoutSeconds"] = "120"


def _unknown_probe(document: Document) -> None:
    document["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]["httpGet"]["url"] = "/readyz"


@pytest.mark.parametrize(
    ("change", "expected"),
    [(_misspell, "containerConcurency"), (_text_for_number, "timeoutSeconds"), (_unknown_probe, "httpGet.url")],
)
def test_a_mistake_in_the_service_is_found(change: Callable[[Document], None], expected: str) -> None:
    document = copy.deepcopy(service())
    change(document)
    assert expected in (knative_fault(document) or "")


@pytest.mark.slow
def test_kustomize_replaces_what_knative_does_itself(built: dict[str, Document]) -> None:
    assert set(built) == {"Namespace", "ServiceAccount", "ConfigMap", "NetworkPolicy", "Service"}
    assert built["Service"]["apiVersion"] == "serving.knative.dev/v1"
    assert knative_fault(built["Service"]) is None
    rest = [document for kind, document in built.items() if kind != "Service"]
    assert {fault(document, version) for document in rest for version in VERSIONS} == {None}


def test_kustomize_sets_image_and_settings(built: dict[str, Document]) -> None:
    [image] = read("kustomization.yaml")["images"]
    [only] = built["Service"]["spec"]["template"]["spec"]["containers"]
    assert only["image"] == f"{image['newName']}@{image['digest']}"
    assert built["ConfigMap"]["data"] == literals()
    name = built["ConfigMap"]["metadata"]["name"]
    assert re.fullmatch(r"yolov7-[a-z0-9]{10}", name)
    assert only["envFrom"] == [{"configMapRef": {"name": name}}]
    keys = [entry["valueFrom"]["configMapKeyRef"] for entry in only["env"] if "configMapKeyRef" in str(entry)]
    assert keys == [{"name": name, "key": "AWS_REGION"}] * 2


def test_the_container_is_that_of_the_deployment_except_for_what_knative_asks() -> None:
    ours, theirs = knative(), container()
    for name in ("image", "envFrom", "resources", "volumeMounts"):
        assert ours[name] == theirs[name], name
    assert without(ours["env"], "METRICS_PORT") == without(theirs["env"], "METRICS_PORT")
    # The whole confinement is on the container, since Knative has it on the pod behind a flag only.
    pod = read("deployment.yaml")["spec"]["template"]["spec"]
    whole = {**pod["securityContext"], **theirs["securityContext"]}
    whole.pop("fsGroup")
    assert ours["securityContext"] == whole
    spec = service()["spec"]["template"]["spec"]
    assert spec["volumes"] == pod["volumes"]
    for name in ("serviceAccountName", "automountServiceAccountToken", "enableServiceLinks"):
        assert spec[name] == pod[name]
    for probe in ("readinessProbe", "livenessProbe"):
        assert ours[probe]["httpGet"]["path"] == theirs[probe]["httpGet"]["path"]


def without(env: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [entry for entry in env if entry["name"] != name]


def test_no_port_is_one_of_knatives_proxy_and_prometheus_reads_the_right_one() -> None:
    [port] = knative()["ports"]
    [metrics] = [entry["value"] for entry in knative()["env"] if entry["name"] == "METRICS_PORT"]
    assert {port["containerPort"], int(metrics)}.isdisjoint(RESERVED)
    assert port["containerPort"] == container()["ports"][0]["containerPort"]
    assert service()["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == metrics


def test_requests_come_through_knatives_proxy_only(built: dict[str, Document]) -> None:
    policy = built["NetworkPolicy"]["spec"]
    labels = service()["spec"]["template"]["metadata"]["labels"].items()
    assert policy["podSelector"]["matchLabels"].items() <= labels
    assert policy["egress"] == read("networkpolicy.yaml")["spec"]["egress"]
    reached = {
        port["port"]: sorted(next(iter(s["namespaceSelector"]["matchLabels"].values())) for s in rule["from"])
        for rule in policy["ingress"]
        for port in rule["ports"]
    }
    assert reached == {
        8012: ["knative-serving", "true"], 8112: ["knative-serving", "true"],
        9090: ["knative-serving"], 9095: ["monitoring"],
    }  # fmt: skip


def test_the_bounds_are_those_of_the_autoscaler() -> None:
    annotations = service()["spec"]["template"]["metadata"]["annotations"]
    assert annotations["autoscaling.knative.dev/min-scale"] == "0"
    assert annotations["autoscaling.knative.dev/max-scale"] == str(read("hpa.yaml")["spec"]["maxReplicas"])
    assert service()["metadata"]["labels"]["networking.knative.dev/visibility"] == "cluster-local"


def test_the_component_has_these_files() -> None:
    assert {file.name for file in Path(HERE).iterdir()} == {"kustomization.yaml", "references.yaml", "service.yaml"}


@pytest.mark.parametrize(("book", "component"), [("kubernetes", "none"), ("knative", "`scale-to-zero`")])
def test_the_readme_has_the_planners_figures(book: str, component: str) -> None:
    rules = load_book(book)
    busy = 5 * rules.replica.cores
    timeline = simulate([0.0] * 120 + [busy] * 1200 + [0.0] * 1200, rules)
    ready = [int(np.argmax(timeline.ready[120:] >= count)) for count in (2, 5)]
    back = int(np.argmax(timeline.wanted[1320:] <= rules.scaler.min_replicas))
    [row] = [line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith(f"| {component} |")]
    assert [int(number) for number in re.findall(r"(\d+) s\b", row)] == [*ready, back]
