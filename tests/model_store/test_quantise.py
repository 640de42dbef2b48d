from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from detection.card import CARD, WEIGHTS, read_card
from detection.detector import Detector
from detection.openvino import OpenVINOEngine
from local.doors import INPUT_BUCKET
from local.s3 import LocalS3
from model_store import calibration, store
from model_store.calibration import calibration_files
from model_store.cli import main
from model_store.errors import PicturesError
from model_store.evaluate import evaluate
from model_store.quantise import quantise
from scenes.render import LABELS, TRAIN_SEEDS, write_coco
from tests.conftest import BUNDLED, upload


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of scenes of training, with their annotations."""
    folder = tmp_path_factory.mktemp("pictures")
    write_coco(folder, TRAIN_SEEDS[:30])
    return folder


@pytest.fixture(scope="module")
def int8_tag() -> Iterator[str]:
    """The tag of the bundled model with 8 bits, calibrated with the same scenes as `pictures` by the command line."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "MOST", 30)
        tag = added(["bundled", "--calibrate", "scenes"])
    yield tag
    store.remove(tag)


@pytest.fixture
def int8(int8_tag: str) -> Path:
    """The folder of this model."""
    return store.find(int8_tag)


def added(arguments: list[str]) -> str:
    """The tag of the model that `add` stores."""
    before = {f"{card.name}:{card.version}" for card in store.cards()}
    assert main(["add", *arguments]) == 0
    [tag] = {f"{card.name}:{card.version}" for card in store.cards()} - before
    return tag


def detector(folder: Path) -> Detector:
    return Detector(read_card(folder), OpenVINOEngine(folder))


def test_the_bundled_model_is_the_trained_one_with_eight_bits() -> None:
    """test_accuracy.py measures that it has the precision of its card."""
    trained, bundled = read_card(store.TRAINED), read_card(BUNDLED)
    assert (trained.precision, bundled.precision) == ("fp16", "int8")
    assert (BUNDLED / WEIGHTS).stat().st_size < 0.55 * (store.TRAINED / WEIGHTS).stat().st_size
    assert bundled.source_sha256 == trained.source_sha256
    assert trained.evaluation is not None and bundled.evaluation is not None
    assert bundled.evaluation["data"] == trained.evaluation["data"]
    assert bundled.evaluation["map50_95"] >= trained.evaluation["map50_95"] - 0.01


@pytest.mark.slow
def test_the_card_tells_the_precision_before_and_after(int8: Path, pictures: Path) -> None:
    card = read_card(int8)
    assert card.precision == "int8"
    assert card.version == store.content_version(int8, card) != read_card(store.TRAINED).version
    assert card.evaluation is not None
    assert (card.evaluation["measure"], card.evaluation["calibrated_on"]) == ("COCO annotations", 30)
    again = evaluate(detector(store.TRAINED), pictures / "annotations.json", pictures).to_json()
    assert card.evaluation["before"]["map50_95"] == pytest.approx(again["map50_95"], abs=1e-3)
    assert card.evaluation["after"]["map50_95"] == pytest.approx(again["map50_95"], abs=0.02)


def test_a_sample_of_a_bucket_calibrates_and_the_agreement_is_told(
    s3: LocalS3, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    for file in sorted(pictures.glob("*.jpg"))[:12]:
        upload(s3, f"sampled/{file.name}", file.read_bytes())
    upload(s3, "sampled/broken.jpg", b"no picture")
    source = f"s3://{INPUT_BUCKET}/sampled/"
    tag = added(["bundled", "--calibrate", source])
    evaluation = read_card(store.find(tag)).evaluation
    store.remove(tag)
    assert evaluation is not None
    assert evaluation["calibrated_on"] == 12
    assert evaluation["measure"].startswith("agreement with")
    assert evaluation["before"] is None
    assert evaluation["after"]["map50"] > 0.9
    assert capsys.readouterr().out.splitlines()[0] == (
        f"{source}: 12 of 13 pictures, chosen at random (seed 0), 1 more cannot be decoded"
    )


@pytest.mark.slow
def test_bench_shows_that_eight_bits_keep_the_precision_with_every_instruction_set(
    int8_tag: str, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    arguments = ["--seconds", "0.01", "--images", str(pictures), "--coco", str(pictures / "annotations.json")]
    assert main(["bench", int8_tag, *arguments]) == 0
    rows = [re.split("  +", line) for line in capsys.readouterr().out.splitlines() if line.startswith("int8")]
    assert [row[1] for row in rows] == ["all, as served here", "VNNI", "AVX2-VNNI", "AVX-512", "AVX2"]
    measured = [row for row in rows if row[2] != "not on this processor"]
    assert measured[0] == rows[0]
    precisions = [float(row[4]) for row in measured]
    assert min(precisions) > max(precisions) - 0.02 > 0.7
    assert all("I8" in row[5] for row in measured)


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(PicturesError, match="holds 0 pictures; calibration needs at least 8"):
            calibration_files(folder)


def test_a_broken_picture_is_named_and_the_model_left_alone(tmp_path: Path) -> None:
    folder = shutil.copytree(store.TRAINED, tmp_path / "model")
    for number in range(8):
        (tmp_path / f"{number}.jpg").write_bytes(b"no picture")
    with pytest.raises(PicturesError, match=r"0\.jpg cannot be used: "):
        quantise(folder, tmp_path)
    assert (folder / WEIGHTS).read_bytes() == (store.TRAINED / WEIGHTS).read_bytes()
    assert (folder / CARD).read_bytes() == (store.TRAINED / CARD).read_bytes()


REFUSED = {
    "int8 without pictures": (["--precision", "int8"], "--precision int8 needs --calibrate: a folder"),
    "fp16 with pictures": (["--precision", "fp16", "--calibrate", "x"], "--calibrate makes int8, not fp16: leave one"),
    "fp32 with pictures": (["--precision", "fp32", "--calibrate", "x"], "--calibrate makes int8, not fp32: leave one"),
    "no bucket": (["--calibrate", "s3:///x"], "--calibrate 's3:///x' names no bucket: give s3://bucket/prefix"),
    "annotations without pictures": (["--coco", "a"], "--coco FILE judges int8: give --calibrate FOLDER with it"),
    "annotations of scenes": (["--calibrate", "scenes", "--coco", "a"], "--coco FILE is about the pictures of a fol"),
    "annotations of a sample": (["--calibrate", "s3://b", "--coco", "a"], "--coco FILE is about the pictures of a fol"),
    "no folder": (["--calibrate", "missing"], "missing holds 0 pictures; calibration needs at least 8, better 300"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_way_to_calibrate_is_one_line(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    more, message = REFUSED[name]
    assert main(["add", "yolov7-tiny", "--random", *more]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {message}")
    assert printed.count("\n") == 1


def test_scenes_calibrate_only_models_of_their_labels() -> None:
    calibration.check_labels("folder", "mine", ["bus"])
    calibration.check_labels("scenes", "mine", LABELS)
    with pytest.raises(PicturesError, match=r"scenes show star, heart, .* and mine has other labels"):
        calibration.check_labels("scenes", "mine", ["bus"])


@pytest.mark.slow
def test_evaluate_prints_precision_and_speed(
    bundled_tag: str, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--coco", str(pictures / "annotations.json"), "--images", str(pictures)]
    assert main(["evaluate", bundled_tag, *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[:-1]} == set(read_card(BUNDLED).labels)
    assert lines[-1].startswith(f"{bundled_tag} on 30 pictures: mAP@.5 0.9")
    evaluation = read_card(store.find(bundled_tag)).evaluation
    assert evaluation is not None
    assert evaluation["latest"]["pictures"] == 30
    assert main(["verify", bundled_tag]) == 0


@pytest.mark.slow
def test_categories_are_matched_by_name_not_by_number(pictures: Path, tmp_path: Path) -> None:
    data = json.loads((pictures / "annotations.json").read_text())
    for entry in data["categories"]:
        entry["id"] = 90 - entry["id"]
    for annotation in data["annotations"]:
        annotation["category_id"] = 90 - annotation["category_id"]
    (tmp_path / "a.json").write_text(json.dumps(data))
    assert evaluate(detector(BUNDLED), tmp_path / "a.json", pictures).precision.map50 > 0.9


FAULTY = {
    "missing": (None, "is not a COCO annotation file"),
    "text": ("hello", "is not a COCO annotation file"),
    "empty": ('{"images": [], "annotations": [], "categories": []}', "it lists no picture"),
    "nameless": ('{"images": [{"id": 1}], "annotations": [], "categories": []}', "is not a COCO annotation file"),
    "other": ('{"images": [{"id": 1, "file_name": "x"}], "annotations": [], "categories": [{"id": 1, "name": "dog"}]}',
              "has none of the model's labels among its categories: dog"),
    "lost": ('{"images": [{"id": 1, "file_name": "lost.jpg"}], "annotations": [], "categories": '
             '[{"id": 1, "name": "star"}]}', r"lost\.jpg cannot be used"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTY)
def test_faulty_annotations_are_one_clear_line(name: str, tmp_path: Path) -> None:
    text, message = FAULTY[name]
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    with pytest.raises(PicturesError, match=message) as caught:
        evaluate(detector(BUNDLED), tmp_path / "a.json", tmp_path)
    assert "\n" not in str(caught.value)
