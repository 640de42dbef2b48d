"""The training run: it reads rendered scenes, writes a checkpoint of averaged weights, and can be resumed."""

from __future__ import annotations

import copy
import csv
import io
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model_store.files import write_atomically
from model_store.network.graph import Network
from model_store.network.heads import Anchors
from model_store.network.variants import build
from model_store.training.batches import Plan, batches
from model_store.training.judge import judge
from model_store.training.loss import Losses, detection_loss
from scenes.render import LABELS

VARIANT = "yolov7-tiny"
STRIDE = 32

ANCHORS: Anchors = (
    ((25, 41), (39, 36), (35, 53)),
    ((52, 49), (47, 76), (69, 67)),
    ((69, 111), (94, 84), (115, 117)),
)
"""Clusters of the boxes of 1500 scenes by side ratio, at an input of 320 pixels; width and height in pixels."""

LEARNING_RATE = 2e-3
FINAL_SHARE = 0.02
WARM_UP_IMAGES = 3_000
WEIGHT_DECAY = 0.02
MAX_GRADIENT = 10.0
AVERAGE_DECAY = 0.999


@dataclass
class Progress:
    """The progress of a run, with running averages of its losses and the results of the last judgement."""

    step: int = 0
    images: int = 0
    seconds: float = 0.0
    box: float = 0.0
    objectness: float = 0.0
    classes: float = 0.0
    map50: float = 0.0
    map50_95: float = 0.0

    def note(self, losses: Losses) -> None:
        """Fold a batch into the running averages."""
        share = 0.02 if self.step > 50 else 1 / (self.step + 1)
        for name in ("box", "objectness", "classes"):
            setattr(self, name, getattr(self, name) * (1 - share) + float(getattr(losses, name).detach()) * share)


class Run:
    """One training run in one folder: `state.pt` to resume from, `run.csv` with its history, `final.pt`."""

    def __init__(self, folder: Path, plan: Plan, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.folder = folder
        self.plan = plan
        self.progress = Progress()
        self.network = build(VARIANT, len(LABELS), training=True, anchors=ANCHORS)
        _expect_few_objects(self.network)
        self.network = self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.network).eval().requires_grad_(False)
        self.optimizer = torch.optim.AdamW(_groups(self.network), lr=LEARNING_RATE)

    def train(self, *, workers: int, save_every_s: float, judge_every: int, report: Callable[[Progress], None]) -> None:
        """Train until the plan is done; `judge_every` is in images. Each batch is reported."""
        last_save = time.monotonic()
        next_judgement = (self.progress.images // judge_every + 1) * judge_every
        clock = time.monotonic()
        for pictures, targets in batches(self.plan, self.progress.step, workers):
            self.progress.note(self._step(pictures, targets))
            self.progress.step += 1
            self.progress.images += len(pictures)
            self.progress.seconds += time.monotonic() - clock
            clock = time.monotonic()
            if self.progress.images >= next_judgement or self.progress.step == self.plan.steps:
                next_judgement += judge_every
                self.judge()
                self.save()
                clock = last_save = time.monotonic()
            elif clock - last_save > save_every_s:
                self.save()
                last_save = time.monotonic()
            report(self.progress)

    def _step(self, pictures: Tensor, targets: Tensor) -> Losses:
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate()
        self.network.train()
        images = pictures.contiguous(memory_format=torch.channels_last).float() / 255
        with torch.autocast("cpu", torch.bfloat16):
            maps = self.network(images)
        losses = detection_loss(self.network.head, maps, targets)
        self.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT)
        self.optimizer.step()
        self._update_average()
        return losses

    def learning_rate(self) -> float:
        """A linear warm-up, then half a cosine down to FINAL_SHARE."""
        images, total = self.progress.images, self.plan.images
        warm = min(1.0, (images + self.plan.batch) / min(WARM_UP_IMAGES, total))
        cosine = (1 + math.cos(math.pi * min(1.0, images / total))) / 2
        return LEARNING_RATE * warm * (FINAL_SHARE + (1 - FINAL_SHARE) * cosine)

    @torch.no_grad()
    def _update_average(self) -> None:
        """Update the averaged weights; at first they follow quickly, because they started from noise."""
        decay = AVERAGE_DECAY * (1 - math.exp(-self.progress.step / 200))
        for mean, value in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def judge(self) -> None:
        """Measure the averaged weights on validation scenes and add a line to run.csv."""
        self.progress.map50, self.progress.map50_95 = judge(self.average, self.plan.size, STRIDE)
        self.folder.mkdir(parents=True, exist_ok=True)
        table = self.folder / "run.csv"
        new = not table.exists()
        with table.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(asdict(self.progress)))
            if new:
                writer.writeheader()
            writer.writerow({k: round(v, 4) for k, v in asdict(self.progress).items()})

    def save(self) -> None:
        """Write what `resume` needs."""
        state = {
            "progress": asdict(self.progress),
            "plan": asdict(self.plan),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        save_atomically(state, self.folder / "state.pt")

    @classmethod
    def resume(cls, folder: Path) -> Run:
        """A run as it was when `state.pt` was written; raises FileNotFoundError when there is none."""
        state: dict[str, Any] = torch.load(folder / "state.pt", weights_only=True)
        run = cls(folder, Plan(**state["plan"]))
        run.progress = Progress(**state["progress"])
        run.network.load_state_dict(state["network"])
        run.average.load_state_dict(state["average"])
        run.optimizer.load_state_dict(state["optimizer"])
        return run

    def export(self, path: Path) -> None:
        """Write the averaged weights and everything that converting them needs."""
        checkpoint = {
            "variant": VARIANT,
            "labels": list(LABELS),
            "anchors": [[list(anchor) for anchor in scale] for scale in ANCHORS],
            "input_size": self.plan.size,
            "state_dict": {k: v.contiguous() for k, v in self.average.state_dict().items()},
            "trained": asdict(self.progress),
        }
        save_atomically(checkpoint, path)


def save_atomically(data: dict[str, Any], path: Path) -> None:
    """Write a checkpoint so that a kill leaves the old one whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(data, buffer)
    write_atomically(path, buffer.getvalue())


def _expect_few_objects(network: Network) -> None:
    """Start the head at one object in a hundred cells; otherwise it has to unlearn too many objects first."""
    for conv in network.head.m:
        assert isinstance(conv, nn.Conv2d) and conv.bias is not None
        with torch.no_grad():
            rows = conv.bias.view(len(ANCHORS[0]), -1)
            rows[:, 4], rows[:, 5:] = -4.6, -2.2


def _groups(network: Network) -> list[dict[str, Any]]:
    """The optimizer's groups: only the weights of convolutions decay."""
    matrices = [p for p in network.parameters() if p.ndim == 4 and p.shape[0] > 1]
    others = [p for p in network.parameters() if not (p.ndim == 4 and p.shape[0] > 1)]
    return [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]
