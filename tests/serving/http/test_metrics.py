"""Metrics of requests, with a bounded number of series."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from serving.http.metrics import MetricsMiddleware, ServiceMetrics


async def greet(_: Request) -> PlainTextResponse:
    return PlainTextResponse("here")


async def fail(_: Request) -> PlainTextResponse:
    raise RuntimeError("a defect")


@pytest.fixture
def client() -> httpx.AsyncClient:
    metrics = ServiceMetrics()
    routes = {"/livez": greet, "/predict": fail, "/metrics": lambda _: metrics.page()}
    app = Starlette(routes=[Route(path, endpoint) for path, endpoint in routes.items()])
    transport = httpx.ASGITransport(MetricsMiddleware(app, lambda: metrics, routes), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://service")


def get(client: httpx.AsyncClient, *paths: str) -> list[httpx.Response]:
    async def all_of_them() -> list[httpx.Response]:
        return [await client.get(path) for path in paths]

    return asyncio.run(all_of_them())


def test_requests_are_counted_by_known_path_and_status(client: httpx.AsyncClient) -> None:
    *_, answer = get(client, "/livez", "/livez", "/gone", "/predict", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert 'yolov7_requests_total{path="/livez",status="200"} 2.0' in lines
    assert 'yolov7_requests_total{path="other",status="404"} 1.0' in lines
    assert 'yolov7_requests_total{path="/predict",status="500"} 1.0' in lines
    assert 'yolov7_request_duration_seconds_count{path="/livez"} 2.0' in lines
    assert "yolov7_requests_in_progress 1.0" in lines


def test_the_first_failure_of_the_service_is_an_increase_and_not_a_new_series(client: httpx.AsyncClient) -> None:
    [answer] = get(client, "/metrics")
    lines = answer.text.splitlines()
    assert 'yolov7_errors_total{code="overloaded"} 0.0' in lines
    assert 'yolov7_requests_total{path="/predict",status="503"} 0.0' in lines
    assert not any("image_not_found" in line for line in lines)


@pytest.mark.slow
def test_unknown_paths_share_one_series(client: httpx.AsyncClient) -> None:
    *_, before = get(client, "/unknown", "/metrics", "/metrics")
    *_, after = get(client, *(f"/{number}" for number in range(5000)), "/metrics")
    assert len(after.text.splitlines()) == len(before.text.splitlines())
