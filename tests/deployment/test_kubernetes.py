"""The Kubernetes manifests: schemas, names that must agree, and the confinement of a pod."""

from __future__ import annotations

import copy
import math
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.checkout import ROOT
from serving.errors import SettingsError
from serving.http.metrics import ServiceMetrics
from serving.settings import Settings, load_settings

FOLDER = ROOT / "deployment" / "kubernetes"
# The oldest version that the README names, and the newest that the validator knows.
VERSIONS = ["1.30", "1.37"]
IN_FLIGHT = FOLDER / "in-flight"
PLAIN_MAPS = {"labels", "annotations", "matchLabels", "nodeSelector", "limits", "requests", "selector", "data"}

Document = dict[str, Any]
Place = tuple[str | int, ...]

each_version = pytest.mark.parametrize("version", VERSIONS)


@cache
def read(name: str) -> Any:
    """One document of the folder."""
    return yaml.safe_load((FOLDER / name).read_text())


def manifests() -> list[str]:
    """The files that hold Kubernetes objects."""
    return sorted(file.name for file in FOLDER.glob("*.yaml") if file.name != "kustomization.yaml")


each_manifest = pytest.mark.parametrize("name", manifests())


def fault(document: Document, version: str) -> str | None:
    """The first fault of a document by Kubernetes' schema, unknown fields included."""
    import kubernetes_validate  # type: ignore[import-untyped]  # It takes seconds, in each process that collects tests.

    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.ValidationError as exc:
        return f"{'.'.join(map(str, exc.absolute_path))}: {exc.message}"
    except kubernetes_validate.SchemaNotFoundError as exc:
        return str(exc.message)
    return None


def at(document: Any, place: Place) -> Any:
    """The value at a place of a document."""
    for key in place:
        document = document[key]
    return document


def maps(value: Any, place: Place = ()) -> Iterator[Place]:
    """The places of all maps whose keys Kubernetes defines."""
    if isinstance(value, dict):
        yield place
        for key, inner in value.items():
            ours = key in PLAIN_MAPS and not (isinstance(inner, dict) and "matchLabels" in inner)
            yield from () if ours else maps(inner, (*place, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from maps(inner, (*place, index))


def pod() -> Document:
    """The specification of the Deployment's pods."""
    spec: Document = read("deployment.yaml")["spec"]["template"]["spec"]
    return spec


def container() -> Document:
    """The one container of a pod."""
    [only] = pod()["containers"]
    assert isinstance(only, dict)
    return only


def sources(only: Document) -> list[Document]:
    """The sources of a container's variables that have no value of their own."""
    return [entry["valueFrom"] for entry in only["env"] if "valueFrom" in entry]


def literals() -> dict[str, str]:
    """The content of the ConfigMap."""
    [generator] = read("kustomization.yaml")["configMapGenerator"]
    return dict(line.split("=", 1) for line in generator["literals"])


# Schemas


@pytest.mark.slow
def test_the_validator_knows_the_versions() -> None:
    import kubernetes_validate

    assert kubernetes_validate.latest_version().startswith(VERSIONS[-1])
    assert f"Kubernetes {VERSIONS[0]} or later" in (FOLDER / "README.md").read_text()


@each_version
@each_manifest
def test_kubernetes_accepts_every_document(name: str, version: str) -> None:
    assert fault(read(name), version) is None


@each_manifest
@pytest.mark.slow
def test_an_unknown_field_is_found_wherever_it_is(name: str) -> None:
    for place in maps(read(name)):
        document = copy.deepcopy(read(name))
        at(document, place)["unknownField"] = 1
        assert "unknownField" in (fault(document, VERSIONS[-1]) or ""), place


def _misspell(document: Document) -> None:
    strategy = document["spec"]["strategy"]["rollingUpdate"]
    strategy["maxUnavailabe"] = strategy.pop("maxUnavailable")


def _forget_selector(document: Document) -> None:
    del document["spec"]["selector"]


def _port_as_text(document: Document) -> None:
    document["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"] = "3000"


def _flag_as_text(document: Document) -> None:
    document["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"] = "true"


def _flag_as_environment(document: Document) -> None:
    document["spec"]["template"]["spec"]["containers"][0]["env"][-1]["value"] = True


def _old_version(document: Document) -> None:
    document["apiVersion"] = "extensions/v1beta1"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (_misspell, "maxUnavailabe"),
        (_forget_selector, "'selector' is a required property"),
        (_port_as_text, "containerPort: '3000' is not of type"),
        (_flag_as_text, "runAsNonRoot: 'true' is not of type"),
        (_flag_as_environment, "value: True is not of type"),
        (_old_version, "Couldn't find schema"),
    ],
)
def test_a_mistake_in_the_deployment_is_found(change: Callable[[Document], None], expected: str) -> None:
    document = copy.deepcopy(read("deployment.yaml"))
    change(document)
    assert expected in (fault(document, VERSIONS[-1]) or "")


# Kustomize


def test_the_kustomization_names_exactly_the_files_that_are_there() -> None:
    resources = read("kustomization.yaml")["resources"]
    assert sorted(resources) == manifests()
    assert {file.name for file in FOLDER.iterdir()} == {
        *resources,
        "kustomization.yaml",
        "README.md",
        IN_FLIGHT.name,
        "scale-to-zero",
    }


def test_all_objects_are_in_the_created_namespace() -> None:
    assert read("kustomization.yaml")["namespace"] == read("namespace.yaml")["metadata"]["name"] == "yolov7"
    assert not any("namespace" in read(name)["metadata"] for name in manifests())


def test_what_kustomize_replaces_is_what_the_deployment_names() -> None:
    kustomization = read("kustomization.yaml")
    [image], [generator] = kustomization["images"], kustomization["configMapGenerator"]
    assert image["name"] == container()["image"]
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", image["digest"])
    assert generator["name"] == container()["envFrom"][0]["configMapRef"]["name"]


def test_labels_are_not_put_into_selectors() -> None:
    assert [entry["includeSelectors"] for entry in read("kustomization.yaml")["labels"]] == [False]


def build(folder: Path) -> dict[str, Document]:
    """The documents that kustomize builds from a folder, by kind."""
    for program in (["kustomize", "build"], ["kubectl", "kustomize"]):
        if shutil.which(program[0]):
            done = subprocess.run([*program, str(folder)], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            return {document["kind"]: document for document in yaml.safe_load_all(done.stdout)}
    pytest.skip("neither kustomize nor kubectl is installed")


@pytest.fixture(scope="module")
def built() -> dict[str, Document]:
    """The documents of the folder as it is."""
    return build(FOLDER)


@each_version
def test_kubernetes_accepts_what_kustomize_builds(built: dict[str, Document], version: str) -> None:
    assert len(built) == len(manifests()) + 1
    assert {kind: fault(document, version) for kind, document in built.items()} == dict.fromkeys(built)


def test_kustomize_joins_the_parts(built: dict[str, Document]) -> None:
    [image] = read("kustomization.yaml")["images"]
    config, pods = built["ConfigMap"], built["Deployment"]["spec"]["template"]["spec"]
    assert config["data"] == literals()
    assert pods["containers"][0]["image"] == f"{image['newName']}@{image['digest']}"
    # Because of the hash a changed setting starts new pods.
    assert re.fullmatch(r"yolov7-[a-z0-9]{10}", config["metadata"]["name"])
    references = [pods["containers"][0]["envFrom"][0]["configMapRef"]["name"]] + [
        source["configMapKeyRef"]["name"] for source in sources(pods["containers"][0]) if "configMapKeyRef" in source
    ]
    assert set(references) == {config["metadata"]["name"]}
    assert {d["metadata"].get("namespace", "yolov7") for d in built.values()} == {"yolov7"}
    assert built["Deployment"]["spec"]["selector"] == read("deployment.yaml")["spec"]["selector"]


def test_in_flight_adds_one_metric_to_the_autoscaler(built: dict[str, Document], tmp_path: Path) -> None:
    copied = shutil.copytree(FOLDER, tmp_path / "kubernetes")
    file = copied / "kustomization.yaml"
    commented = "# components:\n#   - in-flight\n"
    assert file.read_text().count(commented) == 1
    file.write_text(file.read_text().replace(commented, "components:\n  - in-flight\n"))
    found = build(copied)
    assert len(found) == len(built)
    assert {fault(document, version) for version in VERSIONS for document in found.values()} == {None}
    autoscaler, pods = "HorizontalPodAutoscaler", {"name": "yolov7_requests_in_progress"}
    *before, added = found[autoscaler]["spec"].pop("metrics")
    assert before == built[autoscaler]["spec"]["metrics"]
    assert added == {
        "type": "Pods",
        "pods": {"metric": pods, "target": {"type": "AverageValue", "averageValue": "2"}},
    }
    assert {k: v for k, v in built[autoscaler]["spec"].items() if k != "metrics"} == found.pop(autoscaler)["spec"]
    assert found == {kind: document for kind, document in built.items() if kind != autoscaler}


def test_prometheus_adapter_reads_a_metric_that_the_service_has() -> None:
    [rule] = yaml.safe_load((IN_FLIGHT / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    name = rule["seriesQuery"].partition("{")[0]
    assert f"\n{name} 0.0\n" in bytes(ServiceMetrics().page().body).decode()
    assert f"name: {name}\n" in (IN_FLIGHT / "kustomization.yaml").read_text()
    assert set(rule["resources"]["overrides"]) == {"namespace", "pod"}


# Names that must agree


def test_every_selector_matches_the_pods() -> None:
    deployment = read("deployment.yaml")["spec"]
    labels = deployment["template"]["metadata"]["labels"].items()
    selectors = [
        deployment["selector"]["matchLabels"],
        read("service.yaml")["spec"]["selector"],
        read("pdb.yaml")["spec"]["selector"]["matchLabels"],
        read("networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"],
        *(spread["labelSelector"]["matchLabels"] for spread in pod()["topologySpreadConstraints"]),
    ]
    assert all(selector and selector.items() <= labels for selector in selectors)


def test_the_autoscaler_scales_the_deployment() -> None:
    spec, deployment = read("hpa.yaml")["spec"], read("deployment.yaml")
    assert spec["scaleTargetRef"] == {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "name": deployment["metadata"]["name"],
    }
    # An apply would reset the number.
    assert "replicas" not in deployment["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 5)
    [metric] = spec["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    # Utilisation is a share of the request, so the autoscaler needs a request.
    assert container()["resources"]["requests"]["cpu"] == "2"
    assert spec["behavior"]["scaleDown"]["stabilizationWindowSeconds"] == 60


def test_callers_reach_one_port_and_prometheus_the_other() -> None:
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    assert f"EXPOSE {ports['http']}\n" in (ROOT / "deployment/image/Dockerfile").read_text()
    [exposed] = read("service.yaml")["spec"]["ports"]
    assert (exposed["port"], exposed["targetPort"]) == (80, "http")
    annotations = read("deployment.yaml")["spec"]["template"]["metadata"]["annotations"]
    variables = {entry["name"]: entry.get("value") for entry in container()["env"]}
    assert variables["METRICS_PORT"] == annotations["prometheus.io/port"] == str(ports["metrics"])
    assert set(ports) == {"http", "metrics"}


def test_only_named_namespaces_reach_the_pods() -> None:
    spec = read("networkpolicy.yaml")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    allowed = {
        port["port"]: [source["namespaceSelector"]["matchLabels"] for source in rule["from"]]
        for rule in spec["ingress"]
        for port in rule["ports"]
    }
    assert allowed == {"http": [{"yolov7-caller": "true"}], "metrics": [{"kubernetes.io/metadata.name": "monitoring"}]}
    assert "kubectl label namespace NAME yolov7-caller=true" in (FOLDER / "README.md").read_text()


def test_the_pods_reach_s3_but_not_the_nodes_credentials() -> None:
    reached = [
        (target.get("ipBlock"), port["port"])
        for rule in read("networkpolicy.yaml")["spec"]["egress"]
        for port in rule["ports"]
        for target in rule.get("to", [{}])
    ]
    assert reached == [
        (None, 53),
        (None, 53),
        ({"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]}, 443),
        ({"cidr": "169.254.170.23/32"}, 80),
    ]


def test_api_keys_come_from_a_secret_that_need_not_exist() -> None:
    [source] = [found["secretKeyRef"] for found in sources(container()) if "secretKeyRef" in found]
    assert source == {"name": "yolov7-api-keys", "key": "API_KEYS", "optional": True}
    command = "kubectl -n yolov7 create secret generic yolov7-api-keys --from-literal=API_KEYS="
    assert command in (FOLDER / "README.md").read_text()


def test_the_pods_have_the_service_account() -> None:
    account = read("serviceaccount.yaml")["metadata"]
    assert pod()["serviceAccountName"] == account["name"]
    assert set(account["annotations"]) == {"eks.amazonaws.com/role-arn"}
    assert pod()["automountServiceAccountToken"] is False


# Settings


def test_every_variable_is_a_setting_or_of_aws() -> None:
    names = {*literals(), *(entry["name"] for entry in container()["env"])}
    known = {name.upper() for name in Settings.model_fields}
    assert {name for name in names if not name.startswith("AWS_")} <= known
    keys = {found["configMapKeyRef"]["key"] for found in sources(container()) if "configMapKeyRef" in found}
    assert keys <= set(literals())
    # Otherwise the name of each Service in the namespace becomes a variable.
    assert pod()["enableServiceLinks"] is False


def test_a_bucket_that_was_forgotten_stops_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in literals().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=r"INPUT_BUCKET.*OUTPUT_BUCKET"):
        load_settings(None)
    monkeypatch.setenv("INPUT_BUCKET", "my-pictures")
    monkeypatch.setenv("OUTPUT_BUCKET", "my-results")
    assert load_settings(None).output_bucket == "my-results"


# Confinement and life cycle


def test_the_process_is_not_root_and_writes_only_to_tmp() -> None:
    user = 10001
    assert pod()["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container()["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod())
    assert container()["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
    [volume] = pod()["volumes"]
    assert volume["name"] == "tmp"
    assert volume["emptyDir"]["sizeLimit"]
    labels = read("namespace.yaml")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize(
    ("probe", "path"), [("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/livez")]
)
def test_each_probe_has_its_path(probe: str, path: str) -> None:
    assert container()[probe]["httpGet"] == {"path": path, "port": "http"}


def test_an_update_or_a_drain_leaves_time_to_answer() -> None:
    strategy = read("deployment.yaml")["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    wait = container()["lifecycle"]["preStop"]["sleep"]["seconds"]
    # As long after the wait as on ECS.
    assert pod()["terminationGracePeriodSeconds"] - wait == 60
    budget = read("pdb.yaml")["spec"]
    assert budget["maxUnavailable"] == 1
    assert "minAvailable" not in budget


def test_the_memory_limit_follows_from_measured_peaks_and_there_is_no_cpu_limit() -> None:
    resources = container()["resources"]
    assert resources["limits"] == {"memory": resources["requests"]["memory"]}
    requests = max(int(row) for row in re.findall(r"\| (\d+) \|$", (ROOT / "bench/memory.md").read_text(), re.M))
    w6 = (ROOT / "bench/precision.md").read_text().partition("## yolov7-w6")[2]
    model = int(re.findall(r"one dynamic model .* (\d+) \|$", w6, re.M)[0])
    [volume] = pod()["volumes"]
    tmp = int(volume["emptyDir"]["sizeLimit"].removesuffix("Mi")) * 2**20
    gib = math.ceil((requests * 1e6 + model * 1e6 + tmp) * 1.5 / 2**30)
    assert resources["limits"]["memory"] == f"{gib}Gi"
    comment = (FOLDER / "deployment.yaml").read_text()
    assert f"{model} MB" in comment and f"{requests} MB" in comment and f"{tmp / 1e6:.0f} MB" in comment


# README


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (FOLDER / "README.md").read_text()
    assert len(text.splitlines()) <= 70
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https:")]
    assert links
    assert all((FOLDER / link).exists() for link in links)
