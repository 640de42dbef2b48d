"""The ways in which a model is compared, how they are judged and shown, and the processes that compute them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model_store import store
from model_store.benchmark.compare import FLOATS, INT8, Comparison, Row, Way, ways_of
from model_store.benchmark.pictures import Pictures, from_folder
from model_store.benchmark.process import Worker
from model_store.benchmark.processor import ALL, AVX2, AVX512, VNNI, instruction_sets, processor_flags
from model_store.benchmark.sampling import Samples
from model_store.benchmark.text import to_text
from model_store.cli import main
from model_store.errors import BenchmarkError, PicturesError
from model_store.evaluate import CocoBox, Precision

HASWELL = frozenset({"sse4_2", "avx", "avx2", "fma"})
SKYLAKE = HASWELL | {"avx512f", "avx512bw", "avx512dq", "avx512vl"}
CASCADE_LAKE = SKYLAKE | {"avx512_vnni"}
EVERYTHING = frozenset().union(*(entry.flags for entry in ALL))
CAPABILITIES = ("BF16", "FP32", "INT8")


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (frozenset(), []),
        (HASWELL, ["AVX2"]),
        (HASWELL | {"avx_vnni"}, ["AVX2", "AVX2-VNNI"]),
        (SKYLAKE, ["AVX2", "AVX-512"]),
        (CASCADE_LAKE, ["AVX2", "AVX-512", "VNNI"]),
        (EVERYTHING, ["AVX2", "AVX2-VNNI", "AVX-512", "VNNI", "bf16", "fp16", "AMX"]),
    ],
)
def test_the_instruction_sets_of_a_processor_follow_from_its_flags(flags: frozenset[str], names: list[str]) -> None:
    assert [entry.name for entry in instruction_sets(flags)] == names


def test_flags_are_those_of_the_first_processor(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("processor\t: 0\nflags\t\t: avx2 fma\n\nprocessor\t: 1\nflags\t\t: other\n")
    assert processor_flags(file) == {"avx2", "fma"}
    file.write_text("processor\t: 0\nFeatures\t: asimd\n")  # An ARM processor.
    assert processor_flags(file) == processor_flags(tmp_path / "missing") == frozenset()


@pytest.mark.parametrize(
    ("flags", "possible"),
    [
        (HASWELL, ["fp32", "bf16", "fp32, AVX2", "int8", "int8, AVX2"]),
        (CASCADE_LAKE, ["fp32", "bf16", "fp32, AVX-512", "fp32, AVX2", "int8", "int8, VNNI", "int8, AVX-512",
                        "int8, AVX2"]),
    ],
)  # fmt: skip
def test_a_way_is_possible_with_its_instructions_or_capability(flags: frozenset[str], possible: list[str]) -> None:
    assert [str(way) for way in FLOATS + INT8 if way.possible(flags, CAPABILITIES)] == possible


def test_bounded_instructions_have_a_hint_against_emulated_bf16() -> None:
    assert [way.hint for way in FLOATS] == ["f32", "bf16", "f16", "f32", "f32"]
    assert [way.hint for way in INT8] == [None, "f32", "f32", "f32", "f32"]


def test_ways_are_those_of_the_models_at_hand(tmp_path: Path) -> None:
    assert ways_of({"float": tmp_path}) == FLOATS
    assert ways_of({"int8": tmp_path}) == INT8
    assert ways_of({"float": tmp_path, "int8": tmp_path}) == FLOATS + INT8


def box(picture: int, label: int, x: float, score: float) -> CocoBox:
    return CocoBox(picture, label, np.array([x, 10, x + 100, 110]), score)


def test_without_annotations_the_reference_is_the_truth() -> None:
    pictures = Pictures((Path("a"), Path("b")))
    reference = [box(0, 0, 10, 0.9), box(1, 1, 50, 0.3), box(1, 0, 200, 0.1)]
    same = pictures.judge(reference, reference, ["cat", "dog"])
    assert same is not None and (same.map50, same.map50_95) == pytest.approx((1, 1))
    half = pictures.judge([box(0, 0, 10, 0.8)], reference, ["cat", "dog"])
    assert half is not None and half.map50 == pytest.approx(0.5)
    assert pictures.judge(reference, [box(0, 0, 10, 0.2)], ["cat", "dog"]) is None
    assert (pictures.can_judge(reference), pictures.can_judge([box(0, 0, 10, 0.2)])) == (True, False)


def test_annotations_are_matched_by_name_and_place() -> None:
    dataset = {
        "info": {},
        "images": [{"id": 70, "file_name": "a"}],
        "categories": [{"id": 9, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 70, "category_id": 9, "bbox": [10, 10, 100, 100], "area": 10_000, "iscrowd": 0}
        ],
    }
    found = Pictures((Path("a"),), dataset).judge([box(0, 1, 10, 0.9), box(0, 0, 10, 0.9)], [], ["cat", "dog"])
    assert found is not None and found.map50_95 == pytest.approx(1)
    with pytest.raises(PicturesError, match="has none of the model's labels among its categories: dog"):
        Pictures((Path("a"),), dataset).judge([], [], ["cat"])


def test_a_folder_with_too_few_pictures_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(PicturesError, match="holds 0 pictures"):
        from_folder(tmp_path, None, ["cat"])


def test_the_table_says_what_was_measured_and_what_could_not_be() -> None:
    ways = (Way("fp32"), Way("int8", VNNI), Way("fp32", AVX512), Way("fp32", AVX2))
    rows = {
        ways[0]: Row(Samples((0.010, 0.011, 0.012)), Precision(0.9, 0.8, {}), "brgconv_avx512_f32"),
        ways[3]: Row(Samples((0.020, 0.021, 0.022)), Precision(0.91, 0.81, {}), "jit_avx2_f32"),
    }
    text = to_text(Comparison(ways, rows, "fp32", (320, 256), Pictures((Path("a"),))), "mine:0123")
    assert re.fullmatch(r"mine:0123 on \d+ cores with .+", text.splitlines()[0])
    assert (
        text.partition("\n")[2]
        == """\
MS: the network alone, 320 x 256 (a picture of 4:3), median of 3 rounds, quartiles in brackets; the rows take turns
MAP: agreement with the detections of the first row in 1 pictures

PRECISION  INSTRUCTIONS         MS                     MAP@.5  MAP@.5:.95  KERNELS
fp32       all, as served here  11.0 [10.5, 11.5]      0.9000  0.8000      brgconv_avx512_f32
int8       VNNI                 not on this processor
fp32       AVX-512              not on this processor
fp32       AVX2                 21.0 [20.5, 21.5]      0.9100  0.8100      jit_avx2_f32"""
    )


@pytest.mark.slow
def test_a_model_that_cannot_be_run_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_text("no model")
    with Worker(tmp_path) as worker:
        with pytest.raises(BenchmarkError) as caught:
            worker.infer(32, 32)
        assert str(caught.value).count("\n") == 0
        worker.process.kill()
        with pytest.raises(BenchmarkError, match="ended with status -9: is there enough memory"):
            worker.infer(32, 32)


@pytest.fixture(scope="module")
def trained_tag() -> Iterator[str]:
    """The tag of the bundled model in fp16."""
    tag = str(store.put(store.TRAINED))
    yield tag
    store.remove(tag)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--seconds", "0"], "--seconds 0 is not possible: more than 0, at most 600"),
        (["--seconds", "nan"], "--seconds nan is not possible"),
        (["--seconds", "601"], "--seconds 601 is not possible"),
        (["--coco", "a.json"], "--coco FILE is about the pictures of a folder: give --images FOLDER with it"),
        (["--images", "missing"], "missing holds 0 pictures"),
        (["--images", "missing", "--coco", "a.json"], "a.json is not a COCO annotation file"),
        (["--calibrate", "s3:///x"], "--calibrate 's3:///x' names no bucket"),
        (["--calibrate", "missing"], "missing holds 0 pictures"),
    ],
)
def test_a_wrong_option_of_bench_is_one_line(
    more: list[str], message: str, trained_tag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", trained_tag, *more]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith(f"error: {message}")
    assert printed.count("\n") == 1


@pytest.mark.slow
def test_bench_compares_a_model_of_scenes_by_scenes(trained_tag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", trained_tag, "--seconds", "0.01"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{trained_tag} on ")
    assert lines[2] == "MAP: against the annotations of 8 pictures"
    rows = [re.split("  +", line) for line in lines[5:]]
    assert [(row[0], row[1].partition(",")[0]) for row in rows] == [
        ("fp32", "all"), ("bf16", "all"), ("fp16", "all"), ("fp32", "AVX-512"), ("fp32", "AVX2"),
    ]  # fmt: skip
    assert [row[1] for row in rows].count("all, as served here") == 1
    measured = [row for row in rows if row[2] != "not on this processor"]
    assert all(float(row[4]) > 0.7 for row in measured)
    # OpenVINO's kernels keep to the instructions that a row allows.
    assert all("avx2" in row[5] for row in measured if row[1] == "AVX2")
    assert all("avx512" in row[5] for row in measured if row[1] == "AVX-512")
