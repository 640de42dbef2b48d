"""The contract of /predict with real HTTP and a real S3, for both doors: the service and the local Lambda."""

from __future__ import annotations

import io
import json
import re
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deployment.smoke.cases import REFUSED, png_header
from detection.card import read_card
from detection.processor import read_processor
from local.doors import INPUT_BUCKET, OUTPUT_BUCKET, LocalService
from local.processes import free_port
from local.s3 import SECRET_KEY, LocalS3
from scenes.render import LABELS, Scene
from serving.contract import STEPS
from tests.conftest import BUNDLED, Answer, decoded, door_of, predict, results, send, smooth_picture, to_jpeg, upload


def overlap(a: list[float], b: list[float]) -> float:
    corner, far = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    inner = float(np.prod(np.maximum(far - corner, 0)))
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


def matches(detections: list[dict[str, object]], scene: Scene, boxes: object = None) -> bool:
    """Whether every object of a scene was found, with its label and an IoU above one half."""
    found = [(d["label"], list(d["box"].values())) for d in detections]  # type: ignore[attr-defined]
    wanted = scene.boxes if boxes is None else np.asarray(boxes)
    return all(
        any(label == LABELS[c] and overlap(list(map(float, box)), b) > 0.5 for label, b in found)
        for c, box in zip(scene.class_ids, wanted, strict=True)
    )


def test_predict_finds_the_objects_and_writes_the_annotated_picture(
    door: LocalService, s3: LocalS3, scene: Scene
) -> None:
    key = upload(s3, "folder/scène 1.jpg", to_jpeg(scene.image))
    answer = predict(door, {"filename": key})
    assert answer.status == 200, answer.body
    body = answer.json
    assert matches(body["detections"], scene)
    height, width = scene.image.shape[:2]
    card = read_card(BUNDLED)
    assert body["image"] == {"width": width, "height": height}
    assert body["model"] == {"name": card.name, "version": card.version}
    assert body["bucket"] == OUTPUT_BUCKET
    assert body["filename"] in results(s3)
    with urllib.request.urlopen(body["location"]) as picture:
        annotated = decoded(picture.read(), name="annotated", max_pixels=10**7)
    assert annotated.shape == scene.image.shape
    assert (np.abs(annotated.astype(int) - scene.image) > 60).mean() > 0.005


def test_the_headers_are_those_of_the_contract(door: LocalService, s3: LocalS3, scene: Scene) -> None:
    key = upload(s3, "headers.jpg", to_jpeg(scene.image))
    first, second = (predict(door, {"filename": key}, X_Request_Id="mine-1") for _ in range(2))
    steps = dict(part.split(";dur=") for part in second.headers["server-timing"].split(", "))
    assert list(steps) == [*STEPS, "total"]
    assert float(steps["detect"]) == second.json["timings_ms"]["detect"]
    assert second.headers["x-cold-start"] == "false"
    assert second.headers["x-request-id"] == "mine-1"
    assert first.headers["x-instance-id"] == second.headers["x-instance-id"]
    assert second.headers["content-type"] == "application/json"
    assert second.headers["x-instance-cpu"] == str(read_processor())
    # Who is refused is not told what runs here.
    assert not {"x-instance-cpu", "x-version", "x-image-digest"} & set(predict(door, b"").headers)


def test_confidence_and_classes_select_the_detections(door: LocalService, s3: LocalS3, scene: Scene) -> None:
    key = upload(s3, "options.jpg", to_jpeg(scene.image))
    every = predict(door, {"filename": key, "confidence": 0.0001}).json["detections"]
    between = (every[0]["confidence"] + every[1]["confidence"]) / 2
    sure = predict(door, {"filename": key, "confidence": between}).json["detections"]
    label = sure[0]["label"]
    one = predict(door, {"filename": key, "classes": [label]}).json["detections"]
    assert len(every) > 1
    assert sure == every[:1]
    assert {d["label"] for d in one} == {label}
    assert [d["confidence"] for d in every] == sorted((d["confidence"] for d in every), reverse=True)


def saved(scene: Scene, mode: str, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(scene.image[:, :, ::-1])).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def png16(scene: Scene) -> bytes:
    import cv2

    return cv2.imencode(".png", scene.image.astype(np.uint16) * 257)[1].tobytes()


@pytest.mark.parametrize("form", ["cmyk.jpg", "alpha.png", "colour16.png", "picture.webp", "picture.bmp"])
def test_other_picture_formats_are_accepted(form: str, door: LocalService, s3: LocalS3, scene: Scene) -> None:
    data = {
        "cmyk.jpg": lambda: saved(scene, "CMYK", "JPEG", quality=95),
        "alpha.png": lambda: saved(scene, "RGBA", "PNG"),
        "colour16.png": lambda: png16(scene),
        "picture.webp": lambda: saved(scene, "RGB", "WEBP", quality=95),
        "picture.bmp": lambda: saved(scene, "RGB", "BMP"),
    }[form]()
    answer = predict(door, {"filename": upload(s3, form, data)})
    assert answer.status == 200, answer.body
    assert matches(answer.json["detections"], scene)


def test_a_grey_picture_is_accepted(door: LocalService, s3: LocalS3, scene: Scene) -> None:
    answer = predict(door, {"filename": upload(s3, "grey.jpg", saved(scene, "L", "JPEG", quality=95))})
    assert (answer.status, answer.json["image"]["width"]) == (200, scene.image.shape[1])
    assert len(answer.json["detections"]) > 0


def test_boxes_of_an_exif_rotated_picture_match_the_upright_one(door: LocalService, s3: LocalS3, scene: Scene) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    lying = np.ascontiguousarray(np.rot90(scene.image[:, :, ::-1]))
    buffer = io.BytesIO()
    Image.fromarray(lying).save(buffer, "JPEG", quality=95, exif=exif)
    body = predict(door, {"filename": upload(s3, "rotated.jpg", buffer.getvalue())}).json
    height, width = scene.image.shape[:2]
    assert body["image"] == {"width": width, "height": height}
    assert matches(body["detections"], scene)


def test_a_picture_of_one_pixel_is_accepted(door: LocalService, s3: LocalS3) -> None:
    answer = predict(door, {"filename": upload(s3, "1x1.png", saved_pixel())})
    assert (answer.status, answer.json["image"]) == (200, {"width": 1, "height": 1})


def saved_pixel() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (1, 1), "red").save(buffer, "PNG")
    return buffer.getvalue()


PICTURE = to_jpeg(smooth_picture(64, 48))

# The object uploaded as x.jpg, the request body, and the status and code of the response.
BAD_INPUT: dict[str, tuple[bytes | None, object, int, str]] = {
    "empty object": (b"", {"filename": "x.jpg"}, 415, "not_an_image"),
    "text": (b"this is text", {"filename": "x.jpg"}, 415, "not_an_image"),
    "truncated JPEG": (PICTURE[: len(PICTURE) // 2], {"filename": "x.jpg"}, 415, "not_an_image"),
    "bomb": (png_header(20_000, 20_000), {"filename": "x.jpg"}, 413, "image_too_large"),
    "too many bytes": (b"\xff" * 20_000_001, {"filename": "x.jpg"}, 413, "image_too_large"),
    # The smoke test sends these to live deployments.
    **{name: (None, *case) for name, case in REFUSED.items()},
}


@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_gets_its_status_and_code_and_writes_nothing(case: str, door: LocalService, s3: LocalS3) -> None:
    data, body, status, code = BAD_INPUT[case]
    if data is not None:
        upload(s3, "x.jpg", data)
    before = results(s3)
    answer = predict(door, body, X_Request_Id="bad-1")
    assert (answer.status, answer.json["error"]["code"]) == (status, code), answer.body
    assert list(answer.json) == ["error"]
    assert sorted(answer.json["error"]) == ["code", "message", "request_id"]
    assert answer.json["error"]["request_id"] == answer.headers["x-request-id"] == "bad-1"
    assert {"x-cold-start", "x-instance-id"} <= set(answer.headers)
    assert "\n" not in answer.json["error"]["message"]
    assert results(s3) == before


@pytest.mark.parametrize("kind", ["application/vnd.bentoml+pickle", "application/octet-stream", "multipart/form-data"])
def test_pickles_are_refused_and_not_run(kind: str, door: LocalService) -> None:
    pickled = b"cbuiltins\nexec\n(Vopen('/tmp/yolov7-was-executed', 'w')\ntR."
    answer = predict(door, pickled, Content_Type=kind)
    assert (answer.status, answer.json["error"]["code"]) == (415, "unsupported_media_type")
    assert not Path("/tmp/yolov7-was-executed").exists()


BROKEN_STORAGE = {
    "output bucket missing": ({"OUTPUT_BUCKET": "no-such-bucket"}, 502, "storage_refused"),
    "wrong credentials": ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, 502, "storage_refused"),
    "S3 not running": ({"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:{closed}"}, 504, "storage_timeout"),
}


@pytest.fixture(params=BROKEN_STORAGE)
def broken(
    request: pytest.FixtureRequest, door_name: str, s3: LocalS3, bundled_tag: str, tmp_path: Path
) -> Iterator[tuple[LocalService, int, str]]:
    """A door with a wrong storage configuration, and the status and code that it must respond with."""
    changes, status, code = BROKEN_STORAGE[request.param]
    env = {name: value.format(closed=free_port()) for name, value in changes.items()}
    extra = {"MODEL": bundled_tag, "S3_ATTEMPTS": "1"}
    with door_of(door_name, s3, tmp_path / "door.log", env | extra) as running:
        yield running, status, code


def test_each_storage_failure_has_its_own_code_and_writes_nothing(
    broken: tuple[LocalService, int, str], s3: LocalS3
) -> None:
    running, status, code = broken
    upload(s3, "fine.jpg", PICTURE)
    before = results(s3)
    answer = predict(running, {"filename": "fine.jpg"})
    assert (answer.status, answer.json["error"]["code"]) == (status, code), answer.body
    assert results(s3) == before
    logs = [running.log, *running.log.parent.glob("door-sandboxes/*/log")]
    shown = answer.body.decode() + "".join(log.read_text() for log in logs)
    assert "wrong-secret" not in shown
    assert SECRET_KEY not in shown
    assert "Traceback" not in answer.body.decode()


def test_ten_simultaneous_requests_get_ten_correct_responses(door: LocalService, s3: LocalS3, scene: Scene) -> None:
    key = upload(s3, "ten.jpg", to_jpeg(scene.image))
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: predict(door, {"filename": key}), range(10)))
    assert [a.status for a in answers] == [200] * 10
    assert len({json.dumps(a.json["detections"]) for a in answers}) == 1
    assert matches(answers[0].json["detections"], scene)
    assert len({a.json["filename"] for a in answers} & results(s3)) == 1


def test_a_request_of_the_course_project_still_works(door: LocalService, s3: LocalS3) -> None:
    upload(s3, "bus.jpg", PICTURE)
    answer = predict(door, {"filename": "bus.jpg"}).json
    assert {"bucket", "filename", "location"} <= set(answer)
    assert answer["bucket"] != INPUT_BUCKET


KINDS = (
    "application/json",
    "application/vnd.bentoml+pickle",
    "application/json; charset=utf-8",
    "a/b+json",
    "",
    "text/plain",
)
SAME = {
    **{f"{case}": (data, body, {}) for case, (data, body, *_) in BAD_INPUT.items()},
    **{f"body of type {kind!r}": (PICTURE, {"filename": "x.jpg"}, {"Content-Type": kind}) for kind in KINDS},
    "a picture": (PICTURE, {"filename": "x.jpg"}, {}),
    "a picture with all options": (
        PICTURE, {"filename": "x.jpg", "confidence": 0, "iou": 1, "classes": ["fish", "car"]}, {},
    ),
    "an id that may be echoed": (PICTURE, {"filename": "x.jpg"}, {"X-Request-Id": "a.b:c/d=e+f-1"}),
    "an id that may not": (PICTURE, {"filename": "x.jpg"}, {"X-Request-Id": "a b<script>"}),
    "a body that is not UTF-8": (None, b'{"filename": "\xff\xfe"}', {}),
    "a byte order mark": (PICTURE, b'\xef\xbb\xbf{"filename": "x.jpg"}', {}),
    "UTF-32": (None, '{"filename": "x.jpg"}'.encode("utf-32"), {}),
    "an encoded surrogate": (None, b'{"filename": "\xed\xa0\x80.jpg"}', {}),
    "a label with a surrogate": (PICTURE, b'{"filename": "x.jpg", "classes": ["\\ud800"]}', {}),
    "a surrogate": (None, b'{"filename": "\\ud800.jpg"}', {}),
    "a form, as curl sends it": (PICTURE, {"filename": "x.jpg"}, {"Content-Type": "application/x-www-form-urlencoded"}),
    "deep nesting": (None, b"[" * 50_000, {}),
}  # fmt: skip


# Headers of the server itself, and headers whose values belong to a single request.
OWN_HEADERS = {"date", "server", "connection", "content-length", "x-bentoml-request-id"}
OWN_VALUES = {"x-instance-id", "x-cold-start", "x-request-id", "server-timing"}


def normal(answer: Answer) -> tuple[int, dict[str, str], bytes]:
    """A response without the parts that differ between requests: times, ids, and signatures, which contain times."""
    assert int(answer.headers["content-length"]) == len(answer.body)
    headers = {name: value for name, value in answer.headers.items() if name not in OWN_HEADERS}
    body = re.sub(rb'("(?:fetch|decode|detect|annotate|store|total)":)[\d.e+-]+', rb"\1 0", answer.body)
    body = re.sub(rb"X-Amz-(Date|Signature|Credential)=[^&\"]*", b"", body)
    body = body.replace(f'"request_id":"{headers["x-request-id"]}"'.encode(), b'"request_id":"made"')
    return answer.status, {name: "" if name in OWN_VALUES else value for name, value in headers.items()}, body


@pytest.mark.parametrize("case", SAME)
def test_both_doors_give_byte_for_byte_the_same_response(
    case: str, service: LocalService, lambda_door: LocalService, s3: LocalS3
) -> None:
    data, body, headers = SAME[case]
    if data is not None:
        upload(s3, "x.jpg", data)
    given = body if isinstance(body, bytes) else json.dumps(body).encode()
    ours, theirs = (send(f"{door.url}/predict", given, headers=headers) for door in (service, lambda_door))
    assert normal(ours) == normal(theirs)


OTHERS = [("GET", "/predict"), ("DELETE", "/predict"), ("POST", "/predict/"), ("POST", "/a%1B%C3%A9")]


@pytest.mark.parametrize(("method", "path"), OTHERS)
def test_other_paths_and_methods_are_answered_alike(
    method: str, path: str, service: LocalService, lambda_door: LocalService
) -> None:
    ours, theirs = (send(f"{door.url}{path}", b"{}", method=method) for door in (service, lambda_door))
    for answer in (ours, theirs):
        assert list(answer.json) == ["error"]
        assert answer.json["error"]["message"].isprintable()
    assert (ours.status, ours.json["error"]["code"]) == (theirs.status, theirs.json["error"]["code"])
    assert ours.headers.get("allow") == theirs.headers.get("allow")
