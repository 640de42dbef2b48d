"""A person tries the service with the page, in a real browser and against a real service."""

from __future__ import annotations

import base64
import io
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from local.doors import LocalService
from scenes.render import Scene
from tests.conftest import to_jpeg
from tests.serving.page.browsing import Tried, entries, jpeg_of, tried, upload

pytestmark = pytest.mark.slow


def test_before_a_picture_the_page_asks_for_one_and_loads_nothing_else(page: Tried, service: LocalService) -> None:
    assert page.asked == [f"{service.url}/"]
    assert page.get("drop").is_visible() and not page.get("result").is_visible()
    assert not page.get("samples").is_visible()


def test_a_chosen_picture_is_drawn_with_its_boxes(door: LocalService, browser: Browser, scene: Scene) -> None:
    with tried(browser, door) as page:
        page.choose(jpeg_of(scene))
        answer = upload(door, jpeg_of(scene))
        assert page.listed() == entries(answer)
        assert page.get("status").inner_text().startswith(f"{len(page.listed())} objects: ")
        picture = page.canvas()
        scale = picture.shape[1] / scene.image.shape[1]
        box = answer.json["detections"][0]["box"]
        row, left = int((box["y1"] + box["y2"]) / 2 * scale), round(box["x1"] * scale)
        edge = [f"rgb({red}, {green}, {blue})" for blue, green, red in picture[row, left - 1 : left + 1]]
        colour = page.tab.locator("#found .swatch").first.evaluate("one => getComputedStyle(one).backgroundColor")
        assert colour in edge
        facts = page.get("facts").inner_text()
        assert answer.headers["x-instance-id"] in facts
        assert f"{answer.json['model']['name']}, version {answer.json['model']['version']}" in facts
        assert "warm" in facts or "cold" in facts


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_may_be_dropped_or_pasted(way: str, page: Tried, scene: Scene) -> None:
    page.tab.evaluate(
        """([way, base64]) => {
            const data = new DataTransfer();
            const bytes = Uint8Array.from(atob(base64), one => one.charCodeAt());
            data.items.add(new File([bytes], "dropped.jpg", {type: "image/jpeg"}));
            document.body.dispatchEvent(way === "drop"
                ? new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true})
                : new ClipboardEvent("paste", {clipboardData: data, bubbles: true}));
        }""",
        [way, base64.b64encode(jpeg_of(scene)).decode()],
    )
    page.settle()
    assert page.listed() == entries(upload(page.door, jpeg_of(scene)))
    assert "dropped.jpg" in page.get("caption").inner_text()


@pytest.mark.parametrize("confidence", [0.05, 0.5, 0.9])
def test_the_confidence_acts_at_once_as_the_service_would(confidence: float, page: Tried, scene: Scene) -> None:
    page.choose(jpeg_of(scene))
    asked = len(page.asked)
    page.slide("confidence", confidence)
    shown = page.listed()
    assert len(page.asked) == asked
    assert shown == entries(upload(page.door, jpeg_of(scene), f"?confidence={confidence}"))
    assert page.get("confidence-value").inner_text() == f"{confidence:.2f}"


def test_the_overlap_asks_the_service_again_once(page: Tried, scene: Scene) -> None:
    page.choose(jpeg_of(scene))
    before, asked = page.listed(), len(page.asked)
    page.slide("iou", 0.6, 0.8, 1)
    expect(page.tab.locator("#found button")).not_to_have_count(len(before))
    assert page.listed() == entries(upload(page.door, jpeg_of(scene), "?iou=1"))
    assert len(page.asked) == asked + 1


def test_a_class_may_be_hidden(page: Tried, scene: Scene) -> None:
    page.choose(jpeg_of(scene))
    page.slide("confidence", 0.5)
    label = page.listed()[0].split()[0]
    others = [one for one in page.listed() if not one.startswith(f"{label} ")]
    page.tab.get_by_role("checkbox", name=label).uncheck()
    assert page.listed() == others
    for check in page.tab.locator("#classes input:checked").all():
        check.uncheck()
    assert page.listed() == []
    assert page.get("save-picture").is_disabled() and page.get("store").is_disabled()
    assert page.get("curl").inner_text() == "No class is chosen."


def test_the_keyboard_reaches_every_control_and_a_focused_entry_names_its_box(page: Tried, scene: Scene) -> None:
    with page.tab.expect_file_chooser() as chooser:  # It takes a moment to be watched for.
        page.tab.keyboard.press("Tab")  # The link to the API.
        page.tab.keyboard.press("Tab")
        expect(page.get("file")).to_be_focused()
        page.tab.keyboard.press("Enter")
    chooser.value.set_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": jpeg_of(scene)})
    page.settle()
    plain, reached = page.canvas(), []
    for _ in range(60):
        page.tab.keyboard.press("Tab")
        reached.append(page.tab.evaluate("document.activeElement.id || document.activeElement.innerText"))
        if reached[-1] == "curl":
            break
    buttons = ["save-picture", "save-json", "store"]
    assert [one for one in reached if one in (*buttons, "confidence", "iou", "copy", "curl")] == [
        *buttons, "confidence", "iou", "copy", "curl",
    ]  # fmt: skip
    assert [" ".join(one.split()) for one in reached if "\n" in one or "0." in one] == page.listed()
    page.tab.locator("#found button").nth(1).focus()
    assert page.tab.locator("#found .active").inner_text() == page.tab.locator("#found button").nth(1).inner_text()
    assert (page.canvas() != plain).any()
    page.get("confidence").press("End")
    assert page.listed() == []


def test_hovering_over_a_box_names_it(page: Tried, scene: Scene) -> None:
    page.choose(jpeg_of(scene))
    box = upload(page.door, jpeg_of(scene)).json["detections"][0]["box"]
    room = page.get("canvas").bounding_box()
    assert room
    scale = room["width"] / scene.image.shape[1]
    page.get("canvas").hover(position={"x": (box["x1"] + 3) * scale, "y": (box["y1"] + 3) * scale})
    assert page.get("tip").inner_text() == page.listed()[0]
    page.get("status").hover()
    assert not page.get("tip").is_visible()


@pytest.mark.parametrize("orientation", [1, 2, 3, 5, 6, 8])
def test_the_boxes_stand_on_the_upright_picture(orientation: int, page: Tried, scene: Scene) -> None:
    page.choose(turned(scene, "JPEG", orientation), "turned.jpg")
    assert page.listed() == entries(upload(page.door, turned(scene, "JPEG", orientation)))
    assert near(page, scene)
    assert len([one for one in page.asked if one.endswith("/predict")]) == 1  # The browser reads it as the service.


@pytest.mark.parametrize("form", ["TIFF", "PNG", "WEBP"])
def test_what_the_browser_reads_in_another_way_is_shown_as_the_service_reads_it(
    form: str, page: Tried, scene: Scene
) -> None:
    page.choose(turned(scene, form, 6), f"turned.{form.lower()}", f"image/{form.lower()}")
    assert near(page, scene)


def test_a_large_picture_is_shown_smaller_with_its_boxes_in_place(page: Tried, scene: Scene) -> None:
    large = to_jpeg(np.asarray(cv2.resize(scene.image, (2600, 1950)), np.uint8))
    page.choose(large)
    assert page.get("canvas").evaluate("() => [stage.bitmap.width, stage.bitmap.height]") == [2048, 1536]
    assert page.get("caption").inner_text() == "street.jpg, 2600 × 1950 pixels"
    box = upload(page.door, large).json["detections"][0]["box"]
    scale = page.get("canvas").evaluate("canvas => canvas.clientWidth") / 2600
    page.get("canvas").hover(position={"x": (box["x1"] + 20) * scale, "y": (box["y1"] + 20) * scale})
    assert page.get("tip").inner_text() == page.listed()[0]
    assert near(page, scene)


def test_of_two_pictures_in_a_row_the_last_one_is_shown(page: Tried, scene: Scene) -> None:
    for name in ("first.jpg", "second.jpg"):
        page.get("file").set_input_files({"name": name, "mimeType": "image/jpeg", "buffer": jpeg_of(scene)})
    expect(page.get("caption")).to_contain_text("second.jpg")
    page.settle()
    assert page.get("caption").inner_text().startswith("second.jpg")
    assert not page.get("error").is_visible()


def test_a_service_that_cannot_be_reached_is_one_line(page: Tried, scene: Scene) -> None:
    page.tab.route("**/predict", lambda route: route.abort())
    page.choose(jpeg_of(scene))
    expected = "No response: the service cannot be reached, or the connection broke."
    assert page.get("error").inner_text() == expected
    page.console.clear()  # Chromium's own line.


def turned(scene: Scene, form: str, orientation: int) -> bytes:
    """A file whose pixels lie as the EXIF orientation says, so that the upright picture is the scene."""
    upright = Image.fromarray(np.ascontiguousarray(scene.image[:, :, ::-1]))
    way = Image.Transpose
    stored = {
        1: upright, 2: upright.transpose(way.FLIP_LEFT_RIGHT), 3: upright.transpose(way.ROTATE_180),
        5: upright.transpose(way.TRANSPOSE), 6: upright.transpose(way.ROTATE_90),
        8: upright.transpose(way.ROTATE_270),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x112] = orientation
    file = io.BytesIO()
    options: dict[str, Any] = {"quality": 95} if form != "TIFF" else {}
    stored.save(file, form, exif=exif, **options)
    return file.getvalue()


def near(page: Tried, scene: Scene) -> bool:
    """Whether the canvas shows the scene, without boxes."""
    page.slide("confidence", 1)
    shown = page.canvas()
    upright = cv2.resize(scene.image, (shown.shape[1], shown.shape[0])).astype(int)
    return float(np.abs(shown - upright).mean()) < 8


BAD = [(b"a text", "a.txt", "text/plain", "415 not_an_image: "), (b"", "a.jpg", "image/jpeg", "415 not_an_image: ")]


@pytest.mark.parametrize(("data", "name", "kind", "message"), BAD)
def test_an_error_is_one_line_and_hides_the_last_result(
    data: bytes, name: str, kind: str, message: str, page: Tried, scene: Scene
) -> None:
    page.choose(jpeg_of(scene))
    page.choose(data, name, kind)
    page.get("error").wait_for()
    assert page.get("error").inner_text().startswith(message)
    assert "\n" not in page.get("error").inner_text()
    assert not page.get("result").is_visible()
    assert [line.split("(")[0] for line in page.console] == [  # Chromium's own line.
        "Failed to load resource: the server responded with a status of 415 "
    ]
    page.console.clear()
    page.choose(jpeg_of(scene))
    assert page.get("result").is_visible() and not page.get("error").is_visible()


def test_a_file_over_the_limit_is_not_sent(page: Tried) -> None:
    page.choose(bytes(20_000_001), "big.jpg")
    assert page.get("error").inner_text() == "big.jpg has 20.0 MB; the limit is 20 MB: choose a smaller picture."
    assert [one for one in page.asked if "predict" in one] == []


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_no_width_scrolls_to_the_side(width: int, dark: bool, browser: Browser, service: LocalService) -> None:
    tall = to_jpeg(np.zeros((900, 90, 3), np.uint8))
    with tried(browser, service, width=width, dark=dark) as page:
        for data in (None, tall):
            if data:
                page.choose(data, f"{'long-name-' * 12}.jpg")
            assert page.tab.evaluate("document.documentElement.scrollWidth") == width
        background = page.tab.evaluate("getComputedStyle(document.body).backgroundColor")
        assert background == ("rgb(16, 21, 27)" if dark else "rgb(246, 247, 249)")
