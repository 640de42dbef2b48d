"""The page of a door in a real browser, as its user has it."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator

from playwright.sync_api import Browser, Locator, Page

from detection.types import Picture
from local.doors import LocalService
from scenes.render import Scene
from tests.conftest import Answer, decoded, send, to_jpeg

WAIT_MS = 60_000


class Tried:
    """A tab with the page of a door, what it logged, and the paths that it asked for."""

    def __init__(self, tab: Page, door: LocalService) -> None:
        self.tab = tab
        self.door = door
        self.console: list[str] = []
        self.asked: list[str] = []
        tab.set_default_timeout(WAIT_MS)
        tab.on("console", lambda message: self.console.append(message.text))
        tab.on("pageerror", lambda error: self.console.append(str(error)))
        tab.on("request", lambda request: self.asked.append(request.url))

    def get(self, name: str) -> Locator:
        """The element with an id."""
        return self.tab.locator(f"#{name}")

    def choose(self, data: bytes, name: str = "street.jpg", kind: str = "image/jpeg") -> None:
        """Choose a file by the file chooser, and wait until the page has no request under way."""
        with self.tab.expect_file_chooser() as chooser:
            self.tab.get_by_text("Choose a picture").click()
        chooser.value.set_files({"name": name, "mimeType": kind, "buffer": data})
        self.settle()

    def settle(self) -> None:
        """Wait until the page shows a result or an error."""
        self.tab.wait_for_function(
            """() => !document.querySelector("#result[aria-busy]")
                && (!document.querySelector("#result").hidden || !document.querySelector("#error").hidden)
                && !document.querySelector("#status").textContent.startsWith("Looking")"""
        )

    def slide(self, name: str, *values: float) -> None:
        """Move a slider over some values without a pause, as a person does: the page hears of each."""
        self.get(name).evaluate(
            """(slider, values) => values.forEach(value => {
                slider.value = value;
                slider.dispatchEvent(new Event("input"));
            })""",
            values,
        )

    def listed(self) -> list[str]:
        """The entries of the list of detections."""
        return [" ".join(text.split()) for text in self.tab.locator("#found button").all_inner_texts()]

    def canvas(self) -> Picture:
        """The canvas as (H, W, 3) BGR."""
        url = str(self.get("canvas").evaluate("canvas => canvas.toDataURL()"))
        return decoded(base64.b64decode(url.partition(",")[2]), name="the canvas", max_pixels=10**7)


@contextlib.contextmanager
def tried(browser: Browser, door: LocalService, *, width: int = 1280, dark: bool = False) -> Iterator[Tried]:
    """The page in a new tab; at the end it must have logged nothing, a violation of its policy for instance."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
    found = Tried(tab, door)
    response = tab.goto(f"{door.url}/")
    assert response and response.status == 200, (response and response.text(), door.log.read_text()[-2000:])
    tab.bring_to_front()  # The keyboard is that of the tab in front.
    yield found
    tab.close()
    assert found.console == []


def upload(door: LocalService, data: bytes, query: str = "", **headers: str) -> Answer:
    """What the service itself answers to the picture."""
    return send(f"{door.url}/predict{query}", data, headers={"Content-Type": "image/jpeg", **headers})


def entries(answer: Answer) -> list[str]:
    """The list that the page makes of an answer."""
    return [f"{one['label']} {one['confidence']:.2f}" for one in answer.json["detections"]]


def jpeg_of(scene: Scene) -> bytes:
    """The scene as a file."""
    return to_jpeg(scene.image)
