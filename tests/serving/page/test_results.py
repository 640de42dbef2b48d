"""What a person takes away from the page: the picture, the JSON, the stored result, the curl line; and who may."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from local.doors import OUTPUT_BUCKET, LocalService
from local.s3 import LocalS3
from scenes.render import Scene
from tests import conftest
from tests.conftest import door_of, results, send
from tests.serving.page.browsing import Tried, entries, jpeg_of, tried, upload

pytestmark = pytest.mark.slow


def downloaded(page: Tried, button: str) -> tuple[str, bytes]:
    """The name and content of the file that a button makes."""
    with page.tab.expect_download() as download:
        page.get(button).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def narrowed(page: Tried, scene: Scene) -> str:
    """Choose a picture, raise the confidence and hide a class; returns the query that asks for the same."""
    page.choose(jpeg_of(scene))
    page.slide("confidence", 0.5)
    labels = sorted({one.split()[0] for one in page.listed()})
    page.tab.get_by_role("checkbox", name=labels[0]).uncheck()
    return "?confidence=0.5&" + "&".join(f"classes={label}" for label in labels[1:])


def test_the_downloads_are_what_the_page_shows(page: Tried, scene: Scene) -> None:
    query = narrowed(page, scene)
    name, text = downloaded(page, "save-json")
    wanted = upload(page.door, jpeg_of(scene), query).json
    assert name == "street.json"
    assert json.loads(text)["detections"] == wanted["detections"]
    assert list(json.loads(text)) == list(wanted)
    name, picture = downloaded(page, "save-picture")
    assert name == "street-annotated.jpg"
    assert picture == upload(page.door, jpeg_of(scene), query, Accept="image/jpeg").body
    assert page.get("curl").inner_text().endswith(" -o street-annotated.jpg")
    assert "annotate" in page.get("steps").inner_text()


def test_nothing_is_stored_before_store_is_pressed(page: Tried, scene: Scene, s3: LocalS3) -> None:
    before = results(s3)
    query = narrowed(page, scene)
    assert results(s3) == before
    assert page.get("stored").inner_text().startswith("Not stored.")
    page.get("store").click()
    link = page.get("stored").get_by_role("link")
    link.wait_for()
    (key,) = results(s3) - before
    assert (link.inner_text(), key.startswith("street_")) == (key, True)
    assert f"{OUTPUT_BUCKET}/{key}" in str(link.get_attribute("href"))
    stored = s3.client().get_object(Bucket=OUTPUT_BUCKET, Key=key)["Body"].read()
    assert stored == upload(page.door, jpeg_of(scene), query, Accept="image/jpeg").body
    page.choose(jpeg_of(scene), "next.jpg")
    assert page.get("stored").inner_text().startswith("Not stored.")


@pytest.mark.parametrize("name", ["street.jpg", 'it\'s a "street"; b,c $HOME \\ (1).jpg'])
def test_the_curl_line_answers_the_same(name: str, page: Tried, scene: Scene, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(jpeg_of(scene))
    page.tab.locator("#file").set_input_files(tmp_path / name)
    page.settle()
    page.slide("confidence", 0.5)
    label = page.listed()[0].split()[0]
    page.tab.get_by_role("checkbox", name=label).uncheck()
    line = page.get("curl").inner_text()
    done = subprocess.run(["sh", "-c", f"{line} --silent"], cwd=tmp_path, capture_output=True, check=True)
    shown = [f"{one['label']} {one['confidence']:.2f}" for one in json.loads(done.stdout)["detections"]]
    assert shown == page.listed() != []


def test_a_script_that_is_not_the_pages_own_is_not_run(page: Tried) -> None:
    blocked = page.tab.evaluate(
        """() => new Promise(resolve => {
            addEventListener("securitypolicyviolation", event => resolve(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "window.ran = true";
            document.head.append(script);
        })"""
    )
    assert (blocked, page.tab.evaluate("window.ran")) == ("script-src-elem", None)
    assert len(page.console) == 1
    page.console.clear()


def test_the_api_is_shown_by_swagger_without_a_violation(browser: Browser, service: LocalService) -> None:
    with tried(browser, service) as page:
        page.tab.get_by_role("link", name="API").click()
        page.tab.get_by_text("/predict").first.click()
        page.tab.get_by_text("not_an_image").first.wait_for()
        assert {one.partition("/")[0] for url in page.asked for one in [url.removeprefix("http://")]} == {
            service.url.removeprefix("http://")
        }


@pytest.fixture(scope="module")
def keyed(
    s3: LocalS3, bundled_tag: str, scene: Scene, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalService]:
    """A service that asks for a key, and offers two samples, of which one is gone."""
    conftest.upload(s3, "folder/sample 1.jpg", jpeg_of(scene))
    env = {"MODEL": bundled_tag, "PAGE_SAMPLES": "folder/sample 1.jpg, gone.jpg"}
    env["API_KEYS"] = f"tests:{hashlib.sha256(b's3cret').hexdigest()}"
    with door_of("service", s3, tmp_path_factory.mktemp("keyed") / "service.log", env) as running:
        yield running


def give(page: Tried, key: str) -> None:
    page.get("key").fill(key)
    page.get("key").press("Enter")


def test_a_service_with_keys_asks_for_one_and_the_page_forgets_it(
    keyed: LocalService, browser: Browser, scene: Scene
) -> None:
    with tried(browser, keyed) as page:
        page.tab.get_by_role("button", name="folder/sample 1.jpg").click()
        page.get("key-form").wait_for()
        assert page.get("error").inner_text().startswith("401 unauthorized: ")
        assert page.tab.evaluate("document.activeElement.id") == "key"
        give(page, "wrong")
        page.tab.get_by_text("403 forbidden").wait_for()
        give(page, "s3cret")
        page.get("result").wait_for()
        page.settle()
        wanted = upload(keyed, jpeg_of(scene), **{"x-api-key": "s3cret"})
        assert page.listed() == entries(wanted)
        assert not page.get("key-form").is_visible()
        assert '-H "Authorization: Bearer $KEY"' in page.get("curl").inner_text()
        assert "s3cret" not in page.tab.content()
        assert page.tab.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
        assert [line.split(" of ")[1][:3] for line in page.console] == ["401", "403"]
        page.console.clear()
        page.tab.get_by_role("button", name="gone.jpg").click()
        page.tab.get_by_text("404 image_not_found").wait_for()
        page.console.clear()


@pytest.mark.parametrize("name", ["service", "lambda_door"])
def test_the_page_can_be_turned_off(name: str, s3: LocalS3, bundled_tag: str, tmp_path: Path) -> None:
    with door_of(name, s3, tmp_path / "door.log", {"MODEL": bundled_tag, "PAGE": "off"}) as door:
        root = send(f"{door.url}/", method="GET")
        assert send(f"{door.url}/docs", method="GET").status == 404
    if name == "service":
        assert root.json["info"]["title"] == "YOLOv7"  # urllib follows the redirect to /docs.json.
    else:
        assert (root.status, root.json["error"]["code"]) == (404, "not_found")


def test_the_page_is_the_same_document_by_both_doors(door: LocalService) -> None:
    page, head = (send(f"{door.url}/", method=method) for method in ("GET", "HEAD"))
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", page.headers["etag"])
    kept = send(f"{door.url}/", method="GET", headers={"If-None-Match": page.headers["etag"]})
    assert (kept.status, kept.body) == (304, b"")
    assert page.headers["content-security-policy"] == head.headers["content-security-policy"]
    assert send(f"{door.url}/", {}).status == 405
