"""The middleware around BentoML: request bodies, the queue, the deadline, and the OpenAPI document."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving.contract import PredictRequest
from serving.http.middleware import ContractMiddleware, call, request_id, to_response
from serving.instance import Instance
from serving.keys import ApiKeys
from serving.page.documents import start_page
from serving.respond import Responder
from tests.conftest import decoded, to_jpeg
from tests.fakes import SETTINGS, FakeStorage, RecordingObserver, predictor
from tests.serving.test_bodies import INVALID, NOT_JSON

PAGE = start_page(SETTINGS, links_docs=True)
OURS = predictor(**{"bus.jpg": to_jpeg(np.zeros((64, 64, 3), np.uint8))})


class Inner:
    """A stand-in for BentoML behind the middleware: it parses the body and calls the predictor."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self.bodies: list[bytes] = []
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, request: Request) -> Response:
        body = await request.body()
        self.bodies.append(body)
        assert request.headers["content-type"] == "application/json"
        await self.go_on.wait()
        asked = replace(call.get(), request=PredictRequest.model_validate_json(body))
        return to_response(self._responder.respond(lambda: asked, OURS.predict, request_id.get()))


class Door:
    """The middleware around `inner`, with a client; the queue has two places."""

    def __init__(self, **changes: object) -> None:
        self.settings = SETTINGS.model_copy(update={"max_queue": 2, **changes})
        self.observer = RecordingObserver()
        responder = Responder(Instance(), self.observer)
        self.inner = Inner(responder)

        async def endpoint(request: Request) -> Response:
            return await self.inner(request)

        async def probe(request: Request) -> Response:
            assert (dict(request.headers), request.url.query) == ({"content-type": "application/json"}, "")
            return Response(b"alive")

        app = Starlette(routes=[Route("/predict", endpoint, methods=["POST"]), Route("/livez", probe)])
        keys = ApiKeys(self.settings.api_keys)
        pages = {"/docs.json": lambda: JSONResponse({"openapi": "3.1.0"})}
        public = {"/": PAGE}
        guarded = ContractMiddleware(app, lambda: responder, lambda: self.settings, lambda: keys, pages, public)
        self.guarded = guarded
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=guarded), base_url="http://door")

    def post(self, body: bytes, **headers: str) -> httpx.Response:
        """POST /predict; a header's bytes are its characters' numbers."""
        named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
        return asyncio.run(self.client.post("/predict", content=body, headers=named))

    def get(self, path: str, method: str = "GET", **headers: str) -> httpx.Response:
        """GET a path, or use another method."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return asyncio.run(self.client.request(method, path, headers=named))


@pytest.fixture
def door() -> Door:
    return Door()


BUS = b'{"filename": "bus.jpg"}'


def test_a_valid_request_reaches_bentoml_as_json(door: Door) -> None:
    answer = door.post(b' {"filename" : "bus.jpg"}', x_request_id="mine-1")
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-request-id"] == "mine-1"
    defaults = {"confidence": 0.25, "iou": 0.45, "classes": None, "annotate": True, "store": True}
    assert json.loads(door.inner.bodies[0]) == {"filename": "bus.jpg"} | defaults


@pytest.mark.parametrize("body", NOT_JSON)
def test_what_is_not_json_never_reaches_bentoml(body: bytes, door: Door) -> None:
    answer = door.post(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert door.inner.bodies == []


@pytest.mark.parametrize("kind", ["text/plain", "application/vnd.bentoml+pickle", "multipart/form-data", "\xff\xfe\\"])
def test_json_is_read_whatever_it_is_declared_to_be(kind: str, door: Door) -> None:
    answer = door.post(BUS, content_type=kind)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("body", "message"), INVALID)
def test_an_invalid_request_never_reaches_bentoml(body: str, message: str, door: Door) -> None:
    answer = door.post(body.encode(), content_type="application/json")
    assert answer.status_code == 400
    assert message in answer.json()["error"]["message"]
    assert (door.inner.bodies, [error.code for error, _, _ in door.observer.errors]) == ([], ["invalid_request"])


def test_a_request_beyond_the_queue_is_refused_until_a_place_is_free(door: Door) -> None:
    async def crowd() -> tuple[list[httpx.Response], httpx.Response, httpx.Response]:
        door.inner.go_on.clear()
        waiting = [asyncio.create_task(door.client.post("/predict", content=BUS)) for _ in range(2)]
        while len(door.inner.bodies) < 2:
            await asyncio.sleep(0.001)
        refused = await door.client.post("/predict", content=BUS)
        door.inner.go_on.set()
        return [await one for one in waiting], refused, await door.client.post("/predict", content=BUS)

    waited, refused, later = asyncio.run(crowd())
    assert [one.status_code for one in (*waited, later)] == [200, 200, 200]
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert "2 requests are in work or waiting (MAX_QUEUE)" in refused.json()["error"]["message"]


def test_requests_that_could_not_be_answered_in_time_are_refused_at_once() -> None:
    door = Door(max_queue=20, request_timeout_s=0.5)
    one_at_a_time, inner = asyncio.Lock(), door.inner

    async def slowly(request: Request) -> Response:
        async with one_at_a_time:
            await asyncio.sleep(0.05)
            return await Inner.__call__(inner, request)

    door.inner = slowly  # type: ignore[assignment]

    async def crowd() -> list[int]:
        for _ in range(4):
            assert (await door.client.post("/predict", content=BUS)).status_code == 200
        answers = await asyncio.gather(*(door.client.post("/predict", content=BUS) for _ in range(20)))
        return [answer.status_code for answer in answers]

    # 20 of 0.05 s take twice the time that there is.
    assert asyncio.run(crowd()).count(503) >= 12


def test_pages_are_ours_and_probes_reach_bentoml_without_what_the_client_sent(door: Door) -> None:
    assert door.get("/docs.json?a=b").json() == {"openapi": "3.1.0"}
    assert door.get("/livez?%ff", host="\\", x_any="y").content == b"alive"


def test_the_page_is_sent_unless_the_client_has_it(door: Door) -> None:
    page = door.get("/")
    assert (page.status_code, page.content) == (200, PAGE.body)
    assert PAGE.headers.items() <= {(name, page.headers[name]) for name in PAGE.headers}
    again = door.get("/", if_none_match=page.headers["etag"])
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", page.headers["etag"])


UNKNOWN = [
    ("GET", "/predict", 405, "POST"),
    ("DELETE", "/docs.json", 405, "GET, HEAD"),
    ("POST", "/", 405, "GET, HEAD"),
    ("OPTIONS", "/livez", 405, "GET, HEAD"),
    ("GET", "/unknown", 404, None),
    ("POST", "/predict/", 404, None),
    ("GET", "/static_content/index.css", 404, None),
    ("GET", "/a%0Ab%1B[31m", 404, None),
]


@pytest.mark.parametrize(("method", "path", "status", "allowed"), UNKNOWN)
def test_other_paths_and_methods_get_errors_of_the_contract(
    method: str, path: str, status: int, allowed: str | None, door: Door
) -> None:
    answer = door.get(path, method, x_request_id="mine-1")
    code = {404: "not_found", 405: "method_not_allowed"}[status]
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["request_id"]) == (status, code, "mine-1")
    assert answer.headers.get("allow") == allowed
    assert error["message"].isprintable()
    assert [error.code for error, _, _ in door.observer.errors] == [code]


KEY = "s3cret"
KEYS = f"other:{'0' * 64},mine:{hashlib.sha256(KEY.encode()).hexdigest()}"
CALLS = [
    ({}, 401, "unauthorized"),
    ({"authorization": "Basic s3cret"}, 401, "unauthorized"),
    ({"x-api-key": "wrong"}, 403, "forbidden"),
    ({"authorization": "Bearer wrong"}, 403, "forbidden"),
    ({"x-api-key": KEYS.split(":")[-1]}, 403, "forbidden"),
    ({"x-api-key": KEY}, 200, None),
    ({"authorization": f"bearer {KEY}"}, 200, None),
]


@pytest.mark.parametrize(("headers", "status", "code"), CALLS)
def test_with_api_keys_only_their_owners_are_answered(headers: dict[str, str], status: int, code: str | None) -> None:
    door = Door(api_keys=KEYS)
    answer = door.post(BUS, **headers)
    assert (answer.status_code, answer.json().get("error", {}).get("code")) == (status, code)
    assert len(door.inner.bodies) == (status == 200)
    assert KEY not in answer.text
    assert answer.headers.get("www-authenticate") == ("Bearer" if status == 401 else None)
    assert door.get("/docs.json", **headers).status_code == status
    assert door.get("/livez").status_code == door.get("/").status_code == 200


def test_a_key_is_read_as_utf8_as_at_the_other_door() -> None:
    door = Door(api_keys=f"mine:{hashlib.sha256('schlüssel'.encode()).hexdigest()}")
    assert door.post(BUS, x_api_key="schlüssel".encode().decode("latin-1")).status_code == 200
    assert door.post(BUS, x_api_key="schl\xffssel").status_code == 403


def test_nothing_is_stored_for_a_request_that_fails(door: Door) -> None:
    assert isinstance(OURS.storage, FakeStorage)
    before = dict(OURS.storage.stored)
    assert door.post(b'{"filename": "gone.jpg"}').status_code == 404
    assert OURS.storage.stored == before


def test_a_request_past_its_deadline_gets_504_and_keeps_its_place_until_its_work_ends() -> None:
    door = Door(max_queue=1, request_timeout_s=0.1)

    async def crowd() -> list[httpx.Response]:
        door.inner.go_on.clear()
        late = await door.client.post("/predict", content=BUS)
        refused = await door.client.post("/predict", content=BUS)
        door.inner.go_on.set()
        await asyncio.sleep(0.05)
        return [late, refused, await door.client.post("/predict", content=BUS)]

    late, refused, later = asyncio.run(crowd())
    assert [one.status_code for one in (late, refused, later)] == [504, 503, 200]
    assert late.json()["error"]["code"] == "deadline_exceeded"
    assert "stopped after 0.1 s (REQUEST_TIMEOUT_S)" in late.json()["error"]["message"]
    assert [error.code for error, _, _ in door.observer.errors] == ["overloaded"]


def test_a_body_that_never_ends_gets_504() -> None:
    door = Door(request_timeout_s=0.1)

    async def body() -> AsyncIterator[bytes]:
        yield BUS[:5]
        await asyncio.sleep(60)

    answer = asyncio.run(door.client.post("/predict", content=body()))
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
    assert door.inner.bodies == []


PICTURE = to_jpeg(np.zeros((64, 64, 3), np.uint8))


def test_an_uploaded_picture_does_not_pass_through_bentoml(door: Door) -> None:
    answer = door.post(PICTURE, content_type="image/jpeg", accept="image/jpeg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/jpeg")
    assert json.loads(door.inner.bodies[0])["filename"] == "upload"


async def _chunks(size: int, read: list[int], start: bytes = b"\xff\xd8\xff") -> AsyncIterator[bytes]:
    yield start
    for _ in range(size // 10_000):
        read[0] += 10_000
        yield bytes(10_000)


@pytest.mark.parametrize(
    ("headers", "limit"),
    [({"content-type": "image/jpeg"}, 200_000), ({}, 200_000), ({"content-length": "50000003"}, 65_536)],
)
def test_a_streamed_upload_is_read_to_the_limit_only(headers: dict[str, str], limit: int) -> None:
    door, read = Door(max_image_bytes=200_000), [0]
    answer = asyncio.run(door.client.post("/predict", content=_chunks(50_000_000, read), headers=headers))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "image_too_large")
    assert limit - 10_000 <= read[0] <= limit + 20_000
    assert door.inner.bodies == []


def test_uploads_that_fill_the_memory_are_refused_until_others_end() -> None:
    door = Door(max_image_bytes=100_000, max_queue=20)
    picture = PICTURE + bytes(100_000 - len(PICTURE))

    async def crowd() -> tuple[list[int], httpx.Response, int, int]:
        door.inner.go_on.clear()
        waiting = [asyncio.create_task(door.client.post("/predict", content=picture)) for _ in range(8)]
        while len(door.inner.bodies) < 8:
            await asyncio.sleep(0.001)
        refused = await door.client.post("/predict", content=picture)
        door.inner.go_on.set()
        first = [(await one).status_code for one in waiting]
        # An upload that is refused gives its room back as well.
        bad = [await door.client.post("/predict?size=1", content=picture) for _ in range(9)]
        later = await door.client.post("/predict", content=picture)
        return first, refused, bad[-1].status_code, later.status_code

    first, refused, bad, later = asyncio.run(crowd())
    assert (first, refused.status_code, bad, later) == ([200] * 8, 503, 400, 200)
    assert refused.headers["retry-after"] == "1"
    assert "0.8 MB (8 times MAX_IMAGE_BYTES)" in refused.json()["error"]["message"]


def test_a_picture_keeps_its_place_in_the_queue_until_the_client_takes_it() -> None:
    door = Door(max_queue=1)
    noise = to_jpeg(np.random.default_rng(0).integers(0, 256, (600, 600, 3)).astype(np.uint8))

    async def slow() -> tuple[int, bytes, int]:
        go_on, sent = asyncio.Event(), [b""]

        async def send(message: MutableMapping[str, Any]) -> None:
            sent[0] += message.get("body", b"")
            if len(sent[0]) > 100_000:
                await go_on.wait()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": noise, "more_body": False}

        head = [(b"accept", b"image/jpeg")]
        scope = {"type": "http", "method": "POST", "path": "/predict", "headers": head, "query_string": b""}
        taking = asyncio.create_task(door.guarded(scope, receive, send))
        while len(sent[0]) < 100_000:
            await asyncio.sleep(0.001)
        refused = await door.client.post("/predict", content=BUS)
        before = len(sent[0])
        go_on.set()
        await taking
        return refused.status_code, sent[0], before

    refused, body, before = asyncio.run(slow())
    assert (refused, before < len(body)) == (503, True)
    assert decoded(body, name="x", max_pixels=10**6).shape == (600, 600, 3)
