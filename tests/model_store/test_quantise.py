from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from detection.card import CARD, WEIGHTS, read_card
from detection.detector import Detector
from detection.openvino import OpenVINOEngine
from model_store import store
from model_store.cli import main
from model_store.errors import PicturesError
from model_store.evaluate import evaluate
from model_store.quantise import calibration_files, quantise
from model_store.training.bundle import judge_held_out
from scenes.render import TRAIN_SEEDS, write_coco
from tests.conftest import BUNDLED


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of scenes of training, with their annotations."""
    folder = tmp_path_factory.mktemp("pictures")
    write_coco(folder, TRAIN_SEEDS[:60])
    return folder


@pytest.fixture(scope="module")
def int8(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled model with 8 bits."""
    folder = tmp_path_factory.mktemp("int8") / "model"
    shutil.copytree(BUNDLED, folder)
    quantise(folder, pictures, pictures / "annotations.json")
    return folder


def detector(folder: Path) -> Detector:
    return Detector(read_card(folder), OpenVINOEngine(folder))


@pytest.mark.slow
def test_eight_bits_halve_the_size_and_cost_next_to_nothing(int8: Path) -> None:
    assert (int8 / WEIGHTS).stat().st_size < 0.55 * (BUNDLED / WEIGHTS).stat().st_size
    before = read_card(BUNDLED).evaluation
    assert before is not None
    assert judge_held_out(detector(int8)).map50_95 >= before["map50_95"] - 0.01


@pytest.mark.slow
def test_the_card_tells_the_precision_before_and_after(int8: Path, pictures: Path) -> None:
    card = read_card(int8)
    assert card.precision == "int8"
    assert card.version == store.content_version(int8, card) != read_card(BUNDLED).version
    assert card.evaluation is not None
    assert (card.evaluation["measure"], card.evaluation["calibrated_on"]) == ("COCO annotations", 60)
    again = evaluate(detector(BUNDLED), pictures / "annotations.json", pictures).to_json()
    assert card.evaluation["before"]["map50_95"] == pytest.approx(again["map50_95"], abs=1e-3)
    assert card.evaluation["after"]["map50_95"] == pytest.approx(again["map50_95"], abs=0.02)


@pytest.mark.slow
def test_without_annotations_the_agreement_is_told(pictures: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(BUNDLED, tmp_path / "model")
    some = tmp_path / "some"
    some.mkdir()
    for file in sorted(pictures.glob("*.jpg"))[:12]:
        shutil.copyfile(file, some / file.name)
    evaluation = quantise(folder, some).evaluation
    assert evaluation is not None
    assert evaluation["measure"].startswith("agreement with")
    assert evaluation["before"] is None
    assert evaluation["after"]["map50"] > 0.9


def test_too_few_pictures_are_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(PicturesError, match="holds 0 pictures; calibration needs at least 8"):
            calibration_files(folder)


def test_a_broken_picture_is_named_and_the_model_left_alone(tmp_path: Path) -> None:
    folder = shutil.copytree(BUNDLED, tmp_path / "model")
    for number in range(8):
        (tmp_path / f"{number}.jpg").write_bytes(b"no picture")
    with pytest.raises(PicturesError, match=r"0\.jpg cannot be used: "):
        quantise(folder, tmp_path)
    assert (folder / WEIGHTS).read_bytes() == (BUNDLED / WEIGHTS).read_bytes()
    assert (folder / CARD).read_bytes() == (BUNDLED / CARD).read_bytes()


@pytest.mark.parametrize("more", [["--precision", "int8"], ["--calibrate", "pictures"]])
def test_int8_and_its_pictures_go_together(more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add", "yolov7-tiny", "--random", *more]) == 1
    assert capsys.readouterr().err.startswith("error: --precision int8 and --calibrate FOLDER go together")


@pytest.mark.slow
def test_evaluate_prints_precision_and_speed(
    bundled_tag: str, pictures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--coco", str(pictures / "annotations.json"), "--images", str(pictures)]
    assert main(["evaluate", bundled_tag, *arguments]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines[:-1]} == set(read_card(BUNDLED).labels)
    assert lines[-1].startswith(f"{bundled_tag} on 60 pictures: mAP@.5 0.9")
    evaluation = read_card(store.find(bundled_tag)).evaluation
    assert evaluation is not None
    assert evaluation["latest"]["pictures"] == 60
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
