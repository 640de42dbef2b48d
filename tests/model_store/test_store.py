from __future__ import annotations

import json
import shutil
from pathlib import Path

import bentoml
import pytest

from detection.card import CARD, NETWORK, WEIGHTS, read_card
from detection.errors import ModelError
from model_store import store
from model_store.cli import main
from model_store.errors import StoreError
from tests.conftest import BUNDLED


def test_the_bundled_model_is_small_and_whole() -> None:
    assert sum((BUNDLED / name).stat().st_size for name in (NETWORK, WEIGHTS, CARD)) <= 6_500_000
    assert store.content_version(BUNDLED, read_card(BUNDLED)) == read_card(BUNDLED).version


def test_put_keeps_the_card_as_metadata(bundled_tag: str) -> None:
    model = bentoml.models.get(bundled_tag)
    card = read_card(BUNDLED)
    assert model.info.metadata["labels"] == list(card.labels)
    assert model.info.metadata["variant"] == "yolov7-tiny"
    assert model.info.labels["family"] == "yolov7"
    assert read_card(store.find(bundled_tag)).model_copy(update={"evaluation": card.evaluation}) == card


def test_a_model_that_was_judged_without_annotations_is_stored(tmp_path: Path) -> None:
    folder = shutil.copytree(BUNDLED, tmp_path / "model")
    evaluation = {"calibrated_on": 8, "before": None, "after": {"map50": 0.9, "map50_95": None}}
    card = read_card(folder).model_copy(update={"name": "judged-by-agreement", "evaluation": evaluation})
    (folder / CARD).write_text(card.model_dump_json())
    tag = store.put(folder)
    assert bentoml.models.get(tag).info.metadata["evaluation"] == {"calibrated_on": 8, "after": {"map50": 0.9}}
    assert read_card(store.find(str(tag))).evaluation == evaluation
    store.remove(str(tag))


def test_putting_the_same_model_twice_gives_one_version(bundled_tag: str) -> None:
    before = len(bentoml.models.list())
    assert str(store.put(BUNDLED)) == bundled_tag
    assert len(bentoml.models.list()) == before


def test_find_takes_a_name_or_a_version(bundled_tag: str) -> None:
    assert store.find(bundled_tag) == store.find(bundled_tag.partition(":")[0])


@pytest.mark.parametrize("name", ["unknown", "yolov7-tiny-scenes:0123", "Not A Name!"])
def test_find_says_what_to_do_about_a_missing_model(name: str, bundled_tag: str) -> None:
    with pytest.raises(StoreError, match=f"MODEL {name} is not in BentoML's model store"):
        store.find(name)


def test_a_model_under_a_borrowed_name_is_refused() -> None:
    with bentoml.models.create("yolov7-w6") as model:
        for name in (NETWORK, WEIGHTS, CARD):
            shutil.copyfile(BUNDLED / name, Path(model.path) / name)
    with pytest.raises(StoreError, match="MODEL yolov7-w6 is really yolov7-tiny-scenes"):
        store.find("yolov7-w6")
    bentoml.models.delete(model.tag)


def test_random_weights_show_in_the_name(tmp_path: Path) -> None:
    card = json.loads((BUNDLED / CARD).read_text())
    (tmp_path / CARD).write_text(json.dumps(card | {"random": True}))
    with pytest.raises(ModelError, match="ends with -random"):
        read_card(tmp_path)


@pytest.mark.slow
def test_add_random_makes_a_model_that_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add", "yolov7-tiny", "--random"]) == 0
    assert capsys.readouterr().out.startswith("stored yolov7-tiny-random:")
    card = read_card(store.find("yolov7-tiny-random"))
    assert (card.random, card.input_size, len(card.labels), card.stride) == (True, 640, 80, 32)
    with pytest.raises(StoreError):
        store.find("yolov7-tiny")
    assert main(["list"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["MODEL", "VARIANT", "INPUT", "PRECISION", "LABELS", "RANDOM"]
    assert [f"{card.name}:{card.version}", "yolov7-tiny", "640", "fp16", "80", "yes"] in rows


def test_show_prints_all_that_is_known(bundled_tag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", bundled_tag]) == 0
    shown, card = json.loads(capsys.readouterr().out), json.loads((BUNDLED / CARD).read_text())
    assert {name: shown[name] for name in card if name != "evaluation"} | {"evaluation": card["evaluation"]} == card


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "unknown"], "error: MODEL unknown is not in BentoML's model store"),
        (["add", "yolov9", "--random"], "error: no YOLOv7 variant 'yolov9'; known: yolov7-tiny, yolov7, "),
        (["add", "mine"], "error: nothing to make 'mine' from"),
        (["add", "mine", "--weights", "missing.pt"], "error: missing.pt does not exist"),
        (["add", "mine", "--weights", "README.md"], "error: README.md is not a torch checkpoint: give"),
        (["add", "Mine", "--weights", "x.pt"], "error: 'Mine' cannot be a model's name: take 1 to 63 of a-z, 0-9, "),
        (["add", "a:b", "--weights", "x.pt"], "error: 'a:b' cannot be a model's name"),
        (["add", "../../x", "--weights", "x.pt"], "error: '../../x' cannot be a model's name"),
        (["add", "has space", "--weights", "x.pt"], "error: 'has space' cannot be a model's name"),
        (["add", "x\n", "--weights", "x.pt"], "error: 'x\\n' cannot be a model's name"),
        (["add", "", "--weights", "x.pt"], "error: '' cannot be a model's name"),
        (["add", "x" * 64, "--weights", "x.pt"], f"error: '{'x' * 63}' cannot be a model's name"),
        (["add", "my-random", "--weights", "x.pt"], "error: my-random ends with -random, which marks random weights"),
        (["add", "mine", "--weights", "x.pt", "--input-size", "-64"], "error: --input-size -64 is not possible"),
        (["add", "mine", "--weights", "x.pt", "--input-size", "0"], "error: --input-size 0 is not possible"),
        (["add", "mine", "--weights", "x.pt", "--input-size", "100"], "error: --input-size 100 is not possible"),
        (["add", "mine", "--weights", "x.pt", "--input-size", "5152"], "error: --input-size 5152 is not possible"),
        (["add", "yolov7", "--random", "--input-size", "640"], "error: --input-size 640 is not possible"),
        (["add", "mine", "--weights", ""], "error: --weights '' is neither a file nor s3://bucket/key"),
        (["add", "mine", "--weights", "s3://bucket/"], "error: --weights 's3://bucket/' is neither"),
        (["add", "mine", "--weights", "x.pt", "--coco", "a.json"], "error: --coco FILE judges int8"),
        (["add", "bundled", "--weights", "x.pt"], "error: bundled is the project's own model, as it is"),
        (["add", "bundled", "--input-size", "640"], "error: bundled is the project's own model, as it is"),
        (
            ["add", "mine", "--weights", "x.pt", "--precision", "int8", "--calibrate", "missing"],
            "error: missing holds 0 pictures; calibration needs at least 8",
        ),
    ],
)
def test_a_command_that_cannot_be_carried_out_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = len(bentoml.models.list())
    assert main(arguments) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(message)
    assert printed.count("\n") == 1
    assert len(bentoml.models.list()) == before


@pytest.mark.parametrize("name", ["a", "7", "a-b_c.d", "x" * 63])
def test_a_name_that_is_taken_is_one_for_bentoml(name: str) -> None:
    store.check_name(name)
    assert bentoml.Tag(name, None).name == name


def test_verify_finds_a_changed_file(tmp_path: Path, bundled_tag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", bundled_tag]) == 0
    assert capsys.readouterr().out == f"{bundled_tag} is as it was stored\n"
    weights = store.find(bundled_tag) / WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        assert main(["verify", bundled_tag]) == 1
    finally:
        weights.write_bytes(whole)
    assert f"error: {bundled_tag} has changed" in capsys.readouterr().err


def test_remove_deletes_one_version_that_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = shutil.copytree(BUNDLED, tmp_path / "model")
    card = read_card(folder).model_copy(update={"name": "to-be-removed"})
    (folder / CARD).write_text(card.model_dump_json())
    tag = str(store.put(folder))
    assert main(["remove", "to-be-removed"]) == 1
    assert capsys.readouterr().err.startswith("error: say which version of to-be-removed to remove")
    assert main(["remove", tag]) == 0
    assert main(["remove", tag]) == 1
    assert capsys.readouterr().err.startswith(f"error: MODEL {tag} is not in BentoML's model store")
