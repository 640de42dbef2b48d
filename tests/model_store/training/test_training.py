from __future__ import annotations

from pathlib import Path

import pytest
import torch

from model_store.network.variants import build
from model_store.training import train
from model_store.training.__main__ import main
from model_store.training.batches import Plan, batches, scene_to_input
from model_store.training.loss import complete_iou, detection_loss, match
from model_store.training.train import ANCHORS, Run, save_atomically
from scenes.render import LABELS, TRAIN_SEEDS, render_scene

PLAN = Plan(images=16, batch=2, size=96, stride=32)


def silent(_: object) -> None:
    """Report nothing."""


def run(folder: Path, plan: Plan = PLAN) -> Run:
    made = Run(folder, plan)
    made.train(workers=0, save_every_s=1e9, judge_every=10**9, report=silent)
    return made


@pytest.fixture(autouse=True)
def _no_judgement(monkeypatch: pytest.MonkeyPatch) -> None:
    """These runs are too short to be judged; what judges is tested by the accuracy of the shipped model."""
    monkeypatch.setattr(train, "judge", lambda *_: (0.25, 0.125))


def test_no_scene_is_used_twice_and_each_batch_is_one_shape() -> None:
    plan = Plan(images=960, batch=16, size=320, stride=32)
    seeds = [seed for step in range(plan.steps) for seed in plan.seeds(step)]
    assert len(set(seeds)) == len(seeds) == 960
    assert min(seeds) >= TRAIN_SEEDS.start
    for pictures, targets in batches(Plan(images=12, batch=2, size=96, stride=32), 0, 0):
        assert pictures.shape[0] == 2
        assert targets.shape[1] == 6


def test_a_plan_ends_at_the_full_size() -> None:
    plan = Plan(images=1600, batch=16, size=320, stride=32)
    sides = [plan.side(step) for step in range(plan.steps)]
    assert set(sides[:60]) == {224, 256, 288}
    assert set(sides[60:]) == {320}


@pytest.mark.slow
def test_scene_to_input_letterboxes_the_boxes_with_the_picture() -> None:
    scene = render_scene(3, 640)
    picture, rows = scene_to_input(scene, 320, 32)
    assert picture.shape[1] % 32 == picture.shape[2] % 32 == 0
    corners = torch.cat([rows[:, 1:3] - rows[:, 3:] / 2, rows[:, 1:3] + rows[:, 3:] / 2], 1)
    top = (picture.shape[1] - round(scene.image.shape[0] / 2)) // 2
    shifted = torch.from_numpy(scene.boxes) / 2 + torch.tensor([0, top, 0, top])
    torch.testing.assert_close(corners, shifted)


def test_complete_iou_is_one_for_equal_boxes_and_negative_far_apart() -> None:
    boxes = torch.tensor([[50.0, 50, 20, 10], [10, 10, 4, 4]])
    torch.testing.assert_close(complete_iou(boxes, boxes), torch.ones(2), atol=1e-5, rtol=0)
    assert complete_iou(boxes[:1], boxes[1:]).item() < 0


def test_match_takes_the_cell_of_the_centre_and_its_two_nearest() -> None:
    target = torch.tensor([[0, 3, 20.0, 36.0, 30, 30]])  # Cell 2.5, 4.5 of stride 8: right and down are nearest.
    matches = match(target, torch.tensor([[30.0, 30], [300, 300]]), 8, (10, 10))
    assert sorted(zip(matches.column.tolist(), matches.row.tolist(), strict=True)) == [(2, 4), (2, 5), (3, 4)]
    assert set(matches.anchor.tolist()) == {0}


def test_no_objects_are_a_loss_of_objectness_alone() -> None:
    network = build("yolov7-tiny", len(LABELS), training=True, anchors=ANCHORS)
    losses = detection_loss(network.head, network(torch.rand(1, 3, 64, 64)), torch.zeros(0, 6))
    assert (losses.box.item(), losses.classes.item()) == (0, 0)
    assert losses.objectness.item() > 0


@pytest.mark.slow
def test_the_network_learns_a_few_scenes_by_heart() -> None:
    torch.manual_seed(0)
    plan = Plan(images=8, batch=4, size=128, stride=32)
    pictures, targets = next(batches(plan, 0, 0))
    network = build("yolov7-tiny", len(LABELS), training=True, anchors=ANCHORS)
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3)
    totals = []
    for _ in range(40):
        losses = detection_loss(network.head, network(pictures.float() / 255), targets)
        optimizer.zero_grad()
        losses.total.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        totals.append(float(losses.total.detach()))
    assert totals[-1] < totals[0] / 4


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")

    class Stopped(Exception):
        pass

    def stop(progress: train.Progress) -> None:
        if progress.step == 3:
            raise Stopped

    half = Run(tmp_path / "half", PLAN)
    with pytest.raises(Stopped):
        half.train(workers=0, save_every_s=0, judge_every=10**9, report=stop)
    resumed = Run.resume(tmp_path / "half")
    assert resumed.progress.step == 3
    resumed.train(workers=0, save_every_s=1e9, judge_every=10**9, report=silent)
    for name, value in whole.average.state_dict().items():
        assert torch.equal(value, resumed.average.state_dict()[name]), name


@pytest.mark.slow
def test_a_run_leaves_its_table_and_a_checkpoint_to_convert(tmp_path: Path) -> None:
    made = run(tmp_path / "run")
    made.export(tmp_path / "run" / "final.pt")
    header, row = (tmp_path / "run" / "run.csv").read_text().splitlines()
    assert header == "step,images,seconds,box,objectness,classes,map50,map50_95"
    assert row.startswith("8,16,")
    assert row.endswith(",0.25,0.125")
    checkpoint = torch.load(tmp_path / "run" / "final.pt", weights_only=True)
    assert checkpoint["labels"] == list(LABELS)
    assert checkpoint["anchors"] == [[list(anchor) for anchor in scale] for scale in ANCHORS]
    assert list(checkpoint["state_dict"]) == list(made.average.state_dict())


def test_an_interrupted_write_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "state.pt"
    save_atomically({"step": 1}, file)

    def die(part: Path, data: bytes) -> None:
        with part.open("wb") as file:
            file.write(data[:4])
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_bytes", die)
    with pytest.raises(OSError, match="no space"):
        save_atomically({"step": 2}, file)
    assert torch.load(file, weights_only=True) == {"step": 1}


def test_a_run_is_neither_overwritten_nor_resumed_from_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--output", str(tmp_path), "--resume"])
    assert "nothing to resume" in capsys.readouterr().err
    (tmp_path / "state.pt").touch()
    with pytest.raises(SystemExit):
        main(["--output", str(tmp_path)])
    assert "already holds a run" in capsys.readouterr().err
