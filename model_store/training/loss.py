"""The loss of detections: objects are matched with cells, and the cells' predictions are compared with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model_store.network.heads import Detect

MAX_RATIO = 3.0
"""An anchor matches an object when neither side differs by more than this factor."""
BOX_WEIGHT = 5.0


@dataclass(frozen=True)
class Losses:
    """The parts of one batch's loss, per matched cell."""

    box: Tensor
    objectness: Tensor
    classes: Tensor

    @property
    def total(self) -> Tensor:
        """The loss that training minimises."""
        return BOX_WEIGHT * self.box + self.objectness + self.classes


@dataclass(frozen=True)
class _Matches:
    """The M cells of one scale that are matched with an object: indices, each (M,), and the object's row."""

    image: Tensor
    anchor: Tensor
    row: Tensor
    column: Tensor
    target: Tensor


def detection_loss(head: Detect, maps: Sequence[Tensor], targets: Tensor) -> Losses:
    """The loss of a batch's logits against `targets` (T, 6): image, class, centre x, centre y, width, height in pixels.

    Boxes are judged by complete IoU (arXiv 1911.08287). Objectness shall tell the IoU of its box, so that the score
    of a detection ranks well placed boxes first; classes are judged one against all, both by cross entropy.
    """
    box, classes, objectness, count = [], [], [], 0
    for logits, stride, anchors in zip(maps, head.strides, head.anchor_grid, strict=True):
        grid = logits.float().view(len(logits), anchors.shape[1], -1, *logits.shape[2:])
        wanted = torch.zeros_like(grid[:, :, 4])
        m = match(targets, anchors.view(-1, 2), stride, (grid.shape[3], grid.shape[4]))
        if len(m.target):
            found = grid[m.image, m.anchor, :, m.row, m.column]
            overlap = complete_iou(_boxes(found, m, stride, anchors.view(-1, 2)), targets[m.target, 2:])
            box.append((1 - overlap).sum())
            labels = functional.one_hot(targets[m.target, 1].long(), found.shape[1] - 5).float()
            classes.append(functional.binary_cross_entropy_with_logits(found[:, 5:], labels, reduction="sum"))
            # Where two objects share a cell and an anchor, the object with the higher IoU counts.
            worst_first = overlap.detach().clamp(0).argsort()
            place = tuple(index[worst_first] for index in (m.image, m.anchor, m.row, m.column))
            wanted[place] = overlap.detach().clamp(0)[worst_first]
            count += len(m.target)
        objectness.append(functional.binary_cross_entropy_with_logits(grid[:, :, 4], wanted, reduction="sum"))
    zero = maps[0].new_zeros((), dtype=torch.float32)
    scale = 1 / max(count, 1)
    return Losses(sum(box, zero) * scale, sum(objectness, zero) * scale, sum(classes, zero) * scale)


def match(targets: Tensor, anchors: Tensor, stride: int, size: tuple[int, int]) -> _Matches:
    """Match objects (T, 6) with the anchors (A, 2) of like shape, in the cell of the centre and its two nearest.

    `size` is rows and columns of the scale's map. A decoded centre reaches half a cell beyond its own, so the next
    cell on either side of the centre can answer as well, and three times as many cells learn from an object.
    """
    ratio = targets[:, None, 4:] / anchors
    fits = torch.maximum(ratio, 1 / ratio).amax(2) < MAX_RATIO
    target, anchor = fits.nonzero(as_tuple=True)
    centre = targets[target, 2:4] / stride
    nearest = torch.where(centre % 1 < 0.5, -1.0, 1.0)
    right, down = torch.zeros_like(nearest), torch.zeros_like(nearest)
    right[:, 0], down[:, 1] = nearest[:, 0], nearest[:, 1]
    cells = torch.cat([centre.floor(), centre.floor() + right, centre.floor() + down]).long()
    target, anchor = target.repeat(3), anchor.repeat(3)
    inside = ((cells >= 0) & (cells < cells.new_tensor([size[1], size[0]]))).all(1)
    cells, target, anchor = cells[inside], target[inside], anchor[inside]
    return _Matches(targets[target, 0].long(), anchor, cells[:, 1], cells[:, 0], target)


def _boxes(found: Tensor, m: _Matches, stride: int, anchors: Tensor) -> Tensor:
    """Decode matched rows of logits (M, 5 + classes) to boxes (M, 4): centre x, centre y, width, height in pixels."""
    y = found[:, :4].sigmoid()
    centre = (y[:, :2] * 2 - 0.5 + torch.stack([m.column, m.row], 1)) * stride
    return torch.cat([centre, (y[:, 2:] * 2) ** 2 * anchors[m.anchor]], 1)


def complete_iou(first: Tensor, second: Tensor) -> Tensor:
    """Complete IoU of paired boxes (N, 4), centre x, centre y, width, height: (N,), 1 when equal (arXiv 1911.08287)."""
    half_first, half_second = first[:, 2:] / 2, second[:, 2:] / 2
    low_first, high_first = first[:, :2] - half_first, first[:, :2] + half_first
    low_second, high_second = second[:, :2] - half_second, second[:, :2] + half_second
    inner = (torch.minimum(high_first, high_second) - torch.maximum(low_first, low_second)).clamp(0).prod(1)
    union = first[:, 2:].prod(1) + second[:, 2:].prod(1) - inner
    iou = inner / (union + 1e-7)
    hull = torch.maximum(high_first, high_second) - torch.minimum(low_first, low_second)
    distance = ((first[:, :2] - second[:, :2]) ** 2).sum(1) / ((hull**2).sum(1) + 1e-7)
    angles = torch.atan(first[:, 2] / (first[:, 3] + 1e-7)) - torch.atan(second[:, 2] / second[:, 3])
    shape = 4 / torch.pi**2 * angles**2
    with torch.no_grad():
        weight = shape / (1 - iou + shape + 1e-7)
    return iou - distance - weight * shape
