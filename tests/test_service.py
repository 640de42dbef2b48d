"""The parts of the service outside the contract suite: queue, probes, metrics, OpenAPI document and log."""

from __future__ import annotations

import hashlib
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from detection.card import read_card
from detection.processor import read_processor
from local.doors import LocalService, local_service
from local.processes import free_port
from local.s3 import LocalS3
from scenes.render import Scene
from serving.contract import STEPS
from tests.conftest import BUNDLED, IMAGE, door_of, listening, predict, send, to_jpeg, upload, wait_for
from tests.test_doors import PICTURE


def test_a_ready_service_is_warm_and_a_full_queue_gets_503_with_retry_after(
    s3: LocalS3, bundled_tag: str, scene: Scene, tmp_path: Path
) -> None:
    key = upload(s3, "queue.jpg", to_jpeg(scene.image))
    env = {"MODEL": bundled_tag, "MAX_QUEUE": "1"}
    with (
        local_service(s3, port=free_port(), log=tmp_path / "service.log", env=env) as running,
        ThreadPoolExecutor(8) as pool,
    ):
        # local_service waits for /readyz only; no request has been sent yet.
        assert '"warm_up": ' in running.log.read_text()
        cold = predict(running, {"filename": key})
        answers = list(pool.map(lambda _: predict(running, {"filename": key}), range(24)))
    assert cold.headers["x-cold-start"] == "true"
    refused = [a for a in answers if a.status != 200]
    assert {a.status for a in answers} == {200, 503}
    assert {a.json["error"]["code"] for a in refused} == {"overloaded"}
    assert {a.headers["retry-after"] for a in refused} == {"1"}


@pytest.mark.skipif(bool(IMAGE), reason="the processes of a container belong to its engine")
def test_the_service_listens_on_its_port_of_the_loopback_address_only(service: LocalService) -> None:
    assert {service.url} == {f"http://{address}" for address in listening(service.process_id)}


def metric(service: LocalService, start: str) -> float:
    """The sum of all samples whose line starts like this."""
    lines = send(f"{service.url}/metrics", method="GET").body.decode().splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(start))


STORED = 'yolov7_step_duration_seconds_count{step="store"}'


def test_a_client_that_disconnects_does_not_affect_other_requests(service: LocalService, s3: LocalS3) -> None:
    upload(s3, "hang-up.jpg", PICTURE)
    before = metric(service, STORED)
    host, port = service.url.removeprefix("http://").split(":")
    for body in (b'{"filename"', b'{"filename": "hang-up.jpg"}'):
        with socket.create_connection((host, int(port))) as connection:
            head = "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n"
            connection.sendall(head.encode() + body)
    assert predict(service, {"filename": "hang-up.jpg"}).status == 200
    # The service still processes the request that was complete when its client disconnected.
    assert wait_for(lambda: metric(service, STORED) == before + 2)


def test_probes_answer(service: LocalService) -> None:
    for probe in ("livez", "readyz"):
        assert send(f"{service.url}/{probe}", method="GET").status == 200


def test_metrics_count_steps_detections_and_errors(service: LocalService, s3: LocalS3, scene: Scene) -> None:
    names = [f'yolov7_step_duration_seconds_count{{step="{step}"}}' for step in STEPS]
    names += ["yolov7_detections_total{", 'yolov7_errors_total{code="image_not_found"}']
    before = [metric(service, name) for name in names]
    found = len(predict(service, {"filename": upload(s3, "metrics.jpg", to_jpeg(scene.image))}).json["detections"])
    predict(service, {"filename": "unknown.jpg"})
    assert [metric(service, name) - b for name, b in zip(names, before, strict=True)] == [1] * 5 + [found, 1]


def test_two_services_share_one_bentoml_home(
    service: LocalService, s3: LocalS3, bundled_tag: str, tmp_path: Path
) -> None:
    body = {"filename": upload(s3, "shared-home.jpg", PICTURE)}
    before = metric(service, STORED)
    with door_of("service", s3, tmp_path / "second.log", {"MODEL": bundled_tag}) as second:
        assert [predict(one, body).status for one in (service, second, service)] == [200, 200, 200]
        assert (metric(service, STORED), metric(second, STORED)) == (before + 2, 1)
    assert predict(service, body).status == 200
    assert metric(service, STORED) == before + 3


def test_unknown_paths_add_nothing_to_the_metrics(service: LocalService, s3: LocalS3) -> None:
    """Regression: each unknown path of 60 KB became a series in mapped memory; a hundred paths stopped the service."""
    send(f"{service.url}/unknown", method="GET")
    before = send(f"{service.url}/metrics", method="GET").body
    for number in range(150):
        assert send(f"{service.url}/{number:03d}{'x' * 60_000}", method="GET").status == 404
    after = send(f"{service.url}/metrics", method="GET").body
    assert len(after.splitlines()) == len(before.splitlines())
    assert len(after) < len(before) + 1_000  # Counters have become longer by a digit or two.
    assert predict(service, {"filename": upload(s3, "still-alive.jpg", PICTURE)}).status == 200


def test_the_openapi_document_is_the_contract(service: LocalService) -> None:
    document = send(f"{service.url}/docs.json", method="GET").json
    operation = document["paths"]["/predict"]["post"]
    assert sorted(operation["responses"]) == [
        "200", "400", "401", "403", "404", "405", "406", "413", "415", "500", "502", "503", "504",
    ]  # fmt: skip
    schemas = document["components"]["schemas"]
    request = schemas["PredictRequest"]
    options = ["confidence", "iou", "classes", "annotate", "store"]
    assert list(request["properties"]) == ["filename", *options]
    assert [one["name"] for one in operation["parameters"]] == options
    body, found = operation["requestBody"]["content"], operation["responses"]["200"]
    assert list(body) == ["application/json", "image/*", "multipart/form-data"]
    assert list(body["multipart/form-data"]["schema"]["properties"]) == ["image", *options]
    assert list(found["content"]) == ["application/json", "image/jpeg"]
    assert schemas["PredictAnswer"]["required"] == ["detections", "image", "model", "timings_ms"]
    assert request["example"]["filename"] == "bus.jpg"
    assert request["properties"]["classes"]["anyOf"][0]["items"]["enum"] == list(read_card(BUNDLED).labels)
    assert "security" not in operation
    assert set(schemas["PredictAnswer"]["example"]) == set(schemas["PredictAnswer"]["properties"])
    used = set(json.dumps(document).split('"#/components/schemas/')[1:])
    assert {name.split('"')[0] for name in used} <= set(schemas)


def test_the_service_logs_no_stack_trace(service: LocalService) -> None:
    predict(service, {"filename": "no-such-picture.jpg"}, X_Request_Id="no-trace-1")
    assert wait_for(lambda: "no-trace-1 404 image_not_found" in service.log.read_text())
    assert "Traceback" not in service.log.read_text()


def test_the_service_logs_each_response(service: LocalService, s3: LocalS3) -> None:
    upload(s3, "logged.jpg", PICTURE)
    found = predict(service, {"filename": "logged.jpg"}, X_Request_Id="logged-1").json
    assert wait_for(lambda: f"logged-1 200 logged.jpg -> {found['filename']}, " in service.log.read_text())
    processor = read_processor()
    assert f" on {processor}\n" in service.log.read_text()


def test_the_service_says_once_what_it_is(service: LocalService) -> None:
    predict(service, {"filename": "no-such-picture.jpg"})
    [line] = [line for line in service.log.read_text().splitlines() if " instance {" in line]
    facts, processor = json.loads(line.partition(" instance ")[2]), read_processor()
    assert (facts["cpu"], facts["isa"]) == (processor.model, processor.isa)
    page = send(f"{service.url}/metrics", method="GET").body.decode()
    assert f'yolov7_instance_info{{cpu="{processor.model}",isa="{processor.isa}"}} 1.0' in page


ODD = [
    b"POST /predict HTTP/1.1\r\nContent-Type: \xff\xfe\\",
    b"GET /predict HTTP/1.1\r\nContent-Type: \xff\xfe\\",
    b"GET /gone?\xe9 HTTP/1.1\r\nX-Any: \xff\\",
    b"GET /gone?%ff%zz HTTP/1.1\r\nX-Api-Key: \xff\\",
    b"GET /%ff%0a%1b HTTP/1.1\r\nX-Request-Id: \xff\\",
    b"GET /predict/ HTTP/1.1\r\nTraceparent: \xff\\",
]


@pytest.mark.parametrize("head", ODD)
def test_odd_bytes_in_a_head_get_an_error_of_the_contract(head: bytes, service: LocalService) -> None:
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head + b"\r\nHost: \\\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx")
        got = b""
        while some := connection.recv(65_536):
            got += some
    status, body = int(got.split()[1]), got.partition(b"\r\n\r\n")[2]
    assert status == 400 if b"?\xe9" in head else status in (404, 405, 415)  # A bare byte is not HTTP.
    assert set(json.loads(body)["error"]) == {"code", "message", "request_id"}


def test_keys_close_all_but_the_probes_and_the_page_and_metrics_have_a_port_of_their_own(
    s3: LocalS3, bundled_tag: str, tmp_path: Path
) -> None:
    upload(s3, "keys.jpg", PICTURE)
    port = free_port()
    env = {"MODEL": bundled_tag, "METRICS_PORT": str(port)}
    env["API_KEYS"] = f"tests:{hashlib.sha256(b's3cret').hexdigest()}"
    with local_service(s3, port=free_port(), log=tmp_path / "service.log", env=env, image=IMAGE) as running:
        given: dict[str, str]
        for given, status in (({}, 401), ({"X_Api_Key": "wrong"}, 403), ({"X_Api_Key": "s3cret"}, 200)):
            assert predict(running, {"filename": "keys.jpg"}, **given).status == status
        document = send(f"{running.url}/docs.json", method="GET", headers={"x-api-key": "s3cret"}).json
        assert document["paths"]["/predict"]["post"]["security"] == [{"key": []}]
        for path, status in (("", 200), ("docs", 401), ("docs.json", 401), ("static_content/swagger-ui.css", 401)):
            assert send(f"{running.url}/{path}", method="GET").status == status
        assert send(f"{running.url}/metrics", method="GET", headers={"x-api-key": "s3cret"}).status == 404
        own = send(f"http://127.0.0.1:{port}/metrics", method="GET").body
        assert b'yolov7_requests_total{path="/predict",status="401"} 1.0' in own
        assert "s3cret" not in running.log.read_text()
