from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from serving.errors import Forbidden, SettingsError
from serving.keys import ApiKeys
from serving.settings import load_settings


def headers(**given: str) -> Callable[[str], str | None]:
    """A request's headers, by lower-case name."""
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return lambda name: named.get(name)


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_every_key_of_the_setting_is_accepted() -> None:
    keys = ApiKeys(f"ci:{hashed('one')}, alice:{hashed('two').upper()} ,")
    keys.check(headers(x_api_key="one"))
    keys.check(headers(authorization="BEARER  two "))


def test_without_keys_everybody_is_accepted() -> None:
    ApiKeys("").check(headers())


BROKEN = [
    ("one", "entry 1 must be name:hash"),
    (",", "has no entry"),
    (" ", "has no entry"),
    (f"ci:{hashed('one')},alice:1234", "entry 2 must be name:hash"),
    (f"a b:{hashed('one')}", "entry 1 must be name:hash"),
    (f"ci:{hashed('one')},ci:{hashed('two')}", "entry 2 has the name ci again"),
]


@pytest.mark.parametrize(("setting", "message"), BROKEN)
def test_a_broken_setting_is_one_line_that_shows_nothing_of_it(
    setting: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"INPUT_BUCKET": "pictures", "OUTPUT_BUCKET": "results", "API_KEYS": setting}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(None)
    assert f"API_KEYS: Value error, {message}" in str(caught.value)
    assert hashed("one") not in str(caught.value)


def test_a_key_that_utf8_cannot_hold_is_unknown() -> None:
    with pytest.raises(Forbidden):
        ApiKeys(f"ci:{hashed('one')}").check(headers(x_api_key="\ud800"))
