"""Uploads: the picture in the request, by both doors with real HTTP and a real S3."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Sequence

import numpy as np
import pytest

from deployment.smoke.cases import png_header
from detection.headers import MAX_JPEG_SCANS
from local.doors import OUTPUT_BUCKET, LocalService
from local.s3 import LocalS3
from scenes.render import Scene
from serving.contract import STEPS
from tests.conftest import Answer, decoded, predict, results, send, to_jpeg, upload
from tests.test_doors import PICTURE, matches, normal, saved

BOUNDARY = "a-boundary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
JPEG = {"Content-Type": "image/jpeg"}
WANTED = {"Accept": "image/jpeg"}
Part = tuple[str, bytes]


def form(*parts: Part, filename: str = "street.jpg", end: str = "--") -> bytes:
    """A multipart body; the part `image` has a file name."""
    body = b""
    for name, value in parts:
        file = f'; filename="{filename}"' if name == "image" else ""
        body += (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'.encode() + value + b"\r\n"
        )
    return body + f"--{BOUNDARY}{end}\r\n".encode()


def post(door: LocalService, body: bytes, headers: dict[str, str], query: str = "") -> Answer:
    return send(f"{door.url}/predict{query}", body, headers=headers)


def test_a_raw_picture_is_answered_as_json_and_nothing_is_stored(door: LocalService, s3: LocalS3, scene: Scene) -> None:
    before = results(s3)
    answer = post(door, to_jpeg(scene.image), JPEG)
    assert answer.status == 200, answer.body
    assert list(answer.json) == ["detections", "image", "model", "timings_ms"]
    assert matches(answer.json["detections"], scene)
    assert list(answer.json["timings_ms"]) == [*STEPS, "total"]
    assert [step for step in STEPS if not answer.json["timings_ms"][step]] == ["fetch", "annotate", "store"]
    assert results(s3) == before


def test_a_form_is_answered_with_the_annotated_picture(door: LocalService, s3: LocalS3, scene: Scene) -> None:
    before = results(s3)
    data = to_jpeg(scene.image)
    answer = post(door, form(("confidence", b"0.4"), ("image", data)), FORM | WANTED | {"X-Request-Id": "mine-1"})
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg"), answer.body[:200]
    annotated = decoded(answer.body, name="annotated", max_pixels=10**7)
    assert annotated.shape == scene.image.shape
    assert (np.abs(annotated.astype(int) - scene.image) > 60).mean() > 0.005
    found = json.loads(answer.headers["x-detections"])
    assert found == post(door, data, JPEG, "?confidence=0.4").json["detections"]
    assert answer.headers["x-detections-count"] == str(len(found))
    assert answer.headers["x-request-id"] == "mine-1"
    assert {"x-instance-id", "x-cold-start", "server-timing"} <= set(answer.headers)
    assert "content-location" not in answer.headers
    assert results(s3) == before


def test_detections_that_do_not_fit_a_header_are_counted(door: LocalService, scene: Scene) -> None:
    answer = post(door, to_jpeg(scene.image), JPEG | WANTED, "?confidence=0&iou=1")
    assert int(answer.headers["x-detections-count"]) > 40
    assert "x-detections" not in answer.headers


def test_an_upload_is_stored_only_on_request(door: LocalService, s3: LocalS3, scene: Scene) -> None:
    data = to_jpeg(scene.image)
    named = post(door, form(("store", b"true"), ("image", data), filename="C:\\a\\stréet.jpg"), FORM).json
    assert named["filename"].startswith("stréet_")
    unnamed = post(door, data, JPEG | WANTED, "?store=true")
    where = urllib.parse.unquote(urllib.parse.urlsplit(unnamed.headers["content-location"]).path)
    key = where.partition(f"{OUTPUT_BUCKET}/")[2]
    assert key.startswith("upload_")
    assert {named["filename"], key} <= results(s3)
    stored = s3.client().get_object(Bucket=OUTPUT_BUCKET, Key=key)["Body"].read()
    assert stored == unnamed.body
    assert post(door, data, JPEG, "?store=true").json["filename"] == key


@pytest.mark.parametrize("changes", [{"annotate": False}, {"store": False}, {"annotate": False, "store": True}])
def test_a_picture_of_the_bucket_may_be_answered_without_a_result(
    changes: dict[str, bool], door: LocalService, s3: LocalS3
) -> None:
    upload(s3, "unstored.jpg", PICTURE)
    answer = predict(door, {"filename": "unstored.jpg", **changes})
    assert list(answer.json) == ["detections", "image", "model", "timings_ms"]
    assert not [key for key in results(s3) if key.startswith("unstored")]


def test_a_body_overrides_the_query(door: LocalService, s3: LocalS3) -> None:
    name = upload(s3, "override.jpg", PICTURE)
    query = "?confidence=0&classes=car&store=true"
    for body, headers in (
        (json.dumps({"filename": name, "confidence": 1, "store": False}).encode(), {}),
        (form(("image", PICTURE), ("confidence", b"1"), ("store", b"false"), filename=name), FORM),
    ):
        assert post(door, body, headers, query).json["detections"] == []
        assert not [key for key in results(s3) if key.startswith("override")]
    assert post(door, PICTURE, JPEG, "?confidence=0").json["detections"]


def test_accept_holds_for_a_picture_of_the_bucket_too(door: LocalService, s3: LocalS3) -> None:
    upload(s3, "accepted.jpg", PICTURE)
    answer = predict(door, {"filename": "accepted.jpg"}, Accept="image/*, application/json;q=0.5")
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert [key for key in results(s3) if key.startswith("accepted_")]
    assert "accepted_" in answer.headers["content-location"]


ACCEPTED = [
    "*/*",
    "application/json",
    "image/jpeg, application/json",
    "text/html, */*;q=0.1",
    "image/png, application/*",
]


@pytest.mark.parametrize("accept", ACCEPTED)
def test_json_is_the_form_where_it_is_wanted_as_much(accept: str, door: LocalService) -> None:
    assert post(door, PICTURE, JPEG | {"Accept": accept}).headers["content-type"] == "application/json"


GOOD = {
    "a PNG that is declared as JPEG": lambda scene: (saved(scene, "RGB", "PNG"), JPEG),
    "a picture of no declared type": lambda scene: (to_jpeg(scene.image), {"Content-Type": ""}),
    "a picture as curl sends it": lambda scene: (
        to_jpeg(scene.image), {"Content-Type": "application/x-www-form-urlencoded"},
    ),
    "a picture as bytes": lambda scene: (saved(scene, "RGB", "WEBP"), {"Content-Type": "application/octet-stream"}),
}  # fmt: skip


@pytest.mark.parametrize("case", GOOD)
def test_the_content_decides_whether_it_is_a_picture(case: str, door: LocalService, scene: Scene) -> None:
    body, headers = GOOD[case](scene)
    answer = post(door, body, headers)
    assert answer.status == 200, answer.body
    assert matches(answer.json["detections"], scene)


IMAGE = ("image", PICTURE)
HTML = b"<!doctype html><title>Not found</title>"
BOMB = png_header(20_000, 20_000)
SCANS = PICTURE[:2] + b"\xff\xda\x00\x02" * (MAX_JPEG_SCANS + 1) + PICTURE[2:]
INVALID, UNACCEPTABLE = (400, "invalid_request"), (406, "not_acceptable")
LARGE, BROKEN, UNKNOWN = (413, "image_too_large"), (415, "not_an_image"), (415, "unsupported_media_type")
# Body, headers, query, and the status, code and a part of the message of the response.
BAD: dict[str, tuple[bytes, dict[str, str], str, tuple[int, str], str]] = {
    "empty": (b"", JPEG, "", BROKEN, "the upload is empty"),
    "empty form": (b"", FORM, "", INVALID, "cut off"),
    "form without image": (form(("confidence", b"0.4")), FORM, "", INVALID, "image: is required"),
    "form with two images": (form(IMAGE, IMAGE), FORM, "", INVALID, "image: is given more than once"),
    "form with a text": (form(("image", b"a text")), FORM, "", BROKEN, "the upload is not a picture"),
    "form with another file": (form(IMAGE, ("picture", PICTURE)), FORM, "", INVALID, "picture: is not an"),
    "HTML": (HTML, JPEG, "", BROKEN, "the upload is not a picture"),
    "truncated": (PICTURE[: len(PICTURE) // 2], JPEG, "", BROKEN, "ends too early"),
    "bomb": (BOMB, JPEG, "", LARGE, "(MAX_IMAGE_PIXELS)"),
    "bomb in a form": (form(("image", BOMB)), FORM, "", LARGE, "(MAX_IMAGE_PIXELS)"),
    "bomb of scans": (SCANS, JPEG, "", BROKEN, "more than 100 scans"),
    "confidence in the query": (PICTURE, JPEG, "?confidence=7", INVALID, "confidence: Input should be less"),
    "confidence in the form": (form(IMAGE, ("confidence", b"7")), FORM, "", INVALID, "confidence: "),
    "confidence NaN": (PICTURE, JPEG, "?confidence=NaN", INVALID, "confidence: Input should be a finite"),
    "confidence a word": (PICTURE, JPEG, "?confidence=high", INVALID, "confidence: Input should be a valid"),
    "iou in the form": (form(IMAGE, ("iou", b"-1")), FORM, "", INVALID, "iou: "),
    "store a number": (PICTURE, JPEG, "?store=1", INVALID, "store: Input should be a valid boolean"),
    "unknown label": (PICTURE, JPEG, "?classes=dragon", INVALID, "'dragon' is not a label"),
    "unknown option": (PICTURE, JPEG, "?size=1", INVALID, "size: is not an option"),
    "unknown option in the form": (form(IMAGE, ("size", b"1")), FORM, "", INVALID, "size: is not an option"),
    "unknown option with JSON": (b'{"filename": "x.jpg"}', {}, "?size=1", INVALID, "size: is not an option"),
    "overridden in the query": (
        b'{"filename": "x.jpg", "confidence": 0.5}', {}, "?confidence=AAA", INVALID, "confidence: Input should be",
    ),
    "a filename": (PICTURE, JPEG, "?filename=x.jpg", INVALID, "filename: is not an option"),
    "twice": (PICTURE, JPEG, "?iou=0.1&iou=0.2", INVALID, "iou: is given more than once"),
    "accepts PNG": (PICTURE, JPEG | {"Accept": "image/png"}, "", UNACCEPTABLE, "Accept: image/png cannot"),
    "accepts nothing": (PICTURE, JPEG | {"Accept": "*/*;q=0"}, "", UNACCEPTABLE, "cannot be answered"),
    "accepts no range": (PICTURE, JPEG | {"Accept": "json"}, "", UNACCEPTABLE, "cannot be answered"),
    "picture not annotated": (PICTURE, JPEG | WANTED, "?annotate=false", UNACCEPTABLE, "annotate is false"),
    "wrong boundary": (form(IMAGE), {"Content-Type": "multipart/form-data; boundary=b"}, "", INVALID, "bound"),
    "no boundary": (form(IMAGE), {"Content-Type": "multipart/form-data"}, "", UNKNOWN, "boundary"),
    "boundary of 300": (form(IMAGE), {"Content-Type": f"{FORM['Content-Type']}{'b' * 300}"}, "", INVALID, "boundary"),
    "form cut off": (form(IMAGE)[:-20], FORM, "", INVALID, "cut off"),
    "form without its end": (form(IMAGE, end=""), FORM, "", INVALID, "cut off"),
    "field of 1 MB": (form(IMAGE, ("classes", b"x" * 2**20)), FORM, "", INVALID, "more than 4096 bytes"),
    "header of 1 MB": (form(("x" * 2**20, b"1"), IMAGE), FORM, "", INVALID, "multipart/form-data"),
    "2000 parts": (form(IMAGE, *[("classes", b"car")] * 2000), FORM, "", INVALID, "more than 1100 parts"),
    "2000 in the query": (PICTURE, JPEG, "?" + "classes=car&" * 2000, INVALID, "more than 1100 options"),
    "a part of no name": (form(("", b"1"), IMAGE), FORM, "", INVALID, "has no name"),
    "a name that forges": (form(("a\x1b[31m", b"1"), IMAGE), FORM, "", INVALID, r"a\x1b[31m: is not"),
    "text": (b"this is text", {"Content-Type": "text/plain"}, "", UNKNOWN, "neither JSON"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_upload_gets_its_status_and_code_and_writes_nothing(
    case: str, service: LocalService, lambda_door: LocalService, s3: LocalS3
) -> None:
    body, headers, query, wrong, message = BAD[case]
    before = results(s3)
    answers = [post(door, body, headers, query) for door in (service, lambda_door)]
    for answer in answers:
        assert (answer.status, answer.json["error"]["code"]) == wrong, answer.body
        assert message in answer.json["error"]["message"]
        assert answer.json["error"]["message"].isprintable()
    assert normal(answers[0]) == normal(answers[1])
    assert results(s3) == before


SAME: Sequence[tuple[bytes, dict[str, str], str]] = [
    (PICTURE, JPEG, ""),
    (PICTURE, JPEG | WANTED, "?confidence=0.01&classes=car&classes=fish"),
    (form(("classes", b"car"), ("classes", b"fish"), ("iou", b"1"), ("image", PICTURE)), FORM, "?confidence=0"),
    (form(IMAGE), {"Content-Type": 'Multipart/Form-Data; charset="é"; boundary="a-boundary"'}, "?store=true"),
]


@pytest.mark.parametrize(("body", "headers", "query"), SAME)
def test_both_doors_give_the_same_response_to_an_upload(
    body: bytes, headers: dict[str, str], query: str, service: LocalService, lambda_door: LocalService
) -> None:
    encoded = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    ours, theirs = (post(door, body, encoded, query) for door in (service, lambda_door))
    assert ours.status == 200, ours.body
    assert normal(ours) == normal(theirs)


def test_an_upload_of_100_mb_is_refused(service: LocalService) -> None:
    answer = post(service, b"\xff\xd8\xff" + bytes(100_000_000), JPEG)
    assert (answer.status, answer.json["error"]["code"]) == LARGE
    assert "20 MB (MAX_IMAGE_BYTES)" in answer.json["error"]["message"]


def test_a_picture_whose_event_has_over_6_mb_is_refused_by_the_gateway(lambda_door: LocalService) -> None:
    answer = post(lambda_door, PICTURE + bytes(4_800_000), JPEG)
    assert (answer.status, answer.json) == (413, {"message": "Request Entity Too Large"})
    assert post(lambda_door, PICTURE + bytes(4_500_000), JPEG).status == 200
