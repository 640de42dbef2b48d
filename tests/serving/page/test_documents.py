"""The HTML documents of a door, and their headers."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from detection.annotate import colour_of
from local.checkout import ROOT
from serving.contract import STEPS
from serving.page.documents import docs_page, start_page, unless_unchanged
from serving.respond import HttpAnswer
from tests.fakes import SETTINGS

BUDGET = 40_000  # bytes
PAGE = start_page(SETTINGS, links_docs=True)


class Elements(HTMLParser):
    """The elements of a document with their attributes, and the texts of its styles and scripts."""

    def __init__(self, document: HttpAnswer) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inline: dict[str, list[str]] = {"style": [], "script": []}
        self._inside = ""
        self.feed(document.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside in self.inline:
            self.inline[self._inside].append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def policy(document: HttpAnswer) -> dict[str, list[str]]:
    """The Content Security Policy by directive."""
    parts = document.headers["Content-Security-Policy"].split("; ")
    return {name: values for name, *values in (part.split() for part in parts)}


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_whole_page_is_one_document_within_its_budget() -> None:
    assert PAGE.status == 200
    assert len(PAGE.body) < BUDGET
    loaded = [value for _, attributes in Elements(PAGE).found for name, value in attributes.items() if name == "src"]
    assert loaded == []
    assert b"{{" not in PAGE.body


def test_the_policy_allows_the_pages_own_style_and_scripts_and_nothing_else() -> None:
    inline = Elements(PAGE).inline
    assert policy(PAGE) == {
        "default-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
        "connect-src": ["'self'"],
        "script-src": [hashed(script) for script in inline["script"]],
        "style-src": [hashed(style) for style in inline["style"]],
        "img-src": ["'self'", "blob:", "data:"],
    }
    assert len(inline["script"]) == 4 and len(inline["style"]) == 1


def test_no_element_has_styles_or_handlers_that_the_policy_would_block() -> None:
    names = {name for _, attributes in Elements(PAGE).found for name in attributes}
    assert not [name for name in names if name == "style" or name.startswith("on")]


def test_every_field_has_a_label_and_every_id_is_used_once() -> None:
    elements = Elements(PAGE).found
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    labelled = {attributes.get("for") for tag, attributes in elements if tag == "label"}
    assert {attributes["id"] for tag, attributes in elements if tag == "input"} <= labelled


def test_every_id_that_the_scripts_ask_for_exists() -> None:
    elements = Elements(PAGE)
    ids = {attributes.get("id") for _, attributes in elements.found}
    asked = set(re.findall(r'\$\("([\w-]+)"\)', "".join(elements.inline["script"])))
    assert len(asked) > 20
    assert asked <= ids


def test_the_page_knows_the_steps_and_the_colours_of_the_annotated_picture() -> None:
    text = PAGE.body.decode()
    assert str(list(STEPS)).replace("'", '"') in text
    colours = re.findall(r"\b[0-9a-f]{6}\b", text.partition("const COLOURS")[2].partition(";")[0])
    assert [bytes.fromhex(colour)[::-1] for colour in colours] == [bytes(colour_of(number)) for number in range(20)]
    assert colour_of(20) == colour_of(0)


def test_samples_and_the_limit_come_from_the_settings() -> None:
    hostile = '"><script>alert(1)</script>.jpg'
    changed = SETTINGS.model_copy(update={"page_samples": f"a b.jpg, {hostile}", "max_image_bytes": 77})
    document = start_page(changed, links_docs=False)
    elements = Elements(document)
    metas = {str(one.get("name")): one.get("content") for tag, one in elements.found if tag == "meta"}
    assert metas["samples"] == '["a b.jpg", "\\"><script>alert(1)</script>.jpg"]'
    assert metas["max-image-bytes"] == "77"
    assert len(elements.inline["script"]) == 4
    assert document.headers["ETag"] != PAGE.headers["ETag"]
    assert "docs" not in [attributes.get("href") for _, attributes in elements.found]


@pytest.mark.parametrize("header", [None, "", '"other"', "W/other"])
def test_another_version_is_sent_whole(header: str | None) -> None:
    assert unless_unchanged(PAGE, header) is PAGE


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_the_same_version_is_not_sent_again(form: str) -> None:
    found = unless_unchanged(PAGE, form.format(PAGE.headers["ETag"]))
    assert (found.status, found.body, found.headers) == (304, b"", PAGE.headers)


def test_the_reader_of_the_api_loads_only_files_of_bentoml_that_exist() -> None:
    import bentoml

    elements = Elements(docs_page())
    loaded = [attributes.get("src") or attributes.get("href") for tag, attributes in elements.found if tag != "a"]
    files = [str(one) for one in loaded if one and not one.startswith("data:")]
    assert sorted(files) == ["static_content/swagger-ui-bundle.js", "static_content/swagger-ui.css"]
    folder = next(iter(bentoml.__path__))
    assert all((ROOT / folder / "_internal" / "server" / name).is_file() for name in files)
    assert policy(docs_page())["script-src"] == ["'self'", *map(hashed, elements.inline["script"])]
