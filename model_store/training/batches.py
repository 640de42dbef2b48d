"""Batches of rendered scenes, drawn by worker processes while the network learns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from detection.letterbox import fit
from scenes.render import ASPECTS, TRAIN_SEEDS, Scene, render_scene

SMALL_SIZES = (0.7, 0.8, 0.9)
"""Shares of the full size for most of the training: it learns as much from a picture, in half the time."""


@dataclass(frozen=True)
class Plan:
    """The plan of a run: `images` in all, in batches of `batch`; the last `full_share` of them have the full `size`."""

    images: int
    batch: int
    size: int
    stride: int
    full_share: float = 0.4

    @property
    def steps(self) -> int:
        """Number of batches."""
        return -(-self.images // self.batch)

    def side(self, step: int) -> int:
        """The long side of a step's pictures, pixels."""
        if step >= self.steps * (1 - self.full_share):
            return self.size
        return max(self.stride, round(self.size * SMALL_SIZES[step % len(SMALL_SIZES)] / self.stride) * self.stride)

    def seeds(self, step: int) -> list[int]:
        """The seeds of a step's scenes: no seed occurs twice in a run, and all scenes of a step have one aspect."""
        aspect = step % len(ASPECTS)
        first = TRAIN_SEEDS.start + step // len(ASPECTS) * self.batch * len(ASPECTS) + aspect
        return [first + index * len(ASPECTS) for index in range(self.batch)]


def scene_to_input(scene: Scene, size: int, stride: int) -> tuple[Tensor, Tensor]:
    """Letterbox a scene as serving does.

    Returns (3, H, W) uint8 RGB, and (N, 5): class, centre x, centre y, width, height in pixels.
    """
    height, width = scene.image.shape[:2]
    box = fit(width, height, size, stride)
    picture = np.ascontiguousarray(box.apply(scene.image)[:, :, ::-1].transpose(2, 0, 1))
    gain = np.array([box.inner_width / width, box.inner_height / height], np.float32)
    corners = scene.boxes.reshape(-1, 2, 2) * gain + np.array([box.left, box.top], np.float32)
    centre, sides = corners.mean(1), corners[:, 1] - corners[:, 0]
    rows = np.concatenate([scene.class_ids[:, None].astype(np.float32), centre, sides], 1)
    return torch.from_numpy(picture), torch.from_numpy(rows.astype(np.float32))


class _Batches(Dataset[tuple[Tensor, Tensor]]):
    def __init__(self, plan: Plan, first_step: int) -> None:
        self.plan = plan
        self.first_step = first_step

    def __len__(self) -> int:
        return self.plan.steps - self.first_step

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        step = self.first_step + index
        side = self.plan.side(step)
        # Half of the batches are drawn at the scene's own size and shrunk, as serving shrinks pictures.
        drawn_at = side if step // len(ASPECTS) % 2 else None
        pairs = [scene_to_input(render_scene(seed, drawn_at), side, self.plan.stride) for seed in self.plan.seeds(step)]
        targets = [
            torch.cat([torch.full((len(rows), 1), float(image)), rows], 1) for image, (_, rows) in enumerate(pairs)
        ]
        return torch.stack([picture for picture, _ in pairs]), torch.cat(targets)


def batches(plan: Plan, first_step: int, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """The batches of a plan, from a step on: pictures (B, 3, H, W) uint8 RGB and targets (T, 6), image index first.

    A batch depends only on the plan and the step, so a resumed run sees the same batches as an uninterrupted one.
    """
    yield from DataLoader(
        _Batches(plan, first_step),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_one_thread,
    )


def _one_thread(_: int) -> None:
    """Leave the cores to the network."""
    import cv2

    cv2.setNumThreads(1)
    torch.set_num_threads(1)
