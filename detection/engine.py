"""The seam between a detection and the library that runs the network."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np

from detection.card import WEIGHTS, read_card
from detection.letterbox import fit
from detection.types import Floats, Picture

LARGE = 30_000_000  # bytes of weights; YOLOv7-tiny has 12 MB, YOLOv7 74


class Engine(Protocol):
    """Turns one letterboxed picture into logits."""

    def infer(self, picture: Picture) -> AbstractContextManager[Sequence[Floats]]:
        """Run (H, W, 3) uint8 BGR, sides multiples of the stride; one (channels, h, w) float32 map per scale.

        The maps are valid inside the `with` block. As many run at a time as the engine was loaded for; more wait.
        """
        ...


def load_engine(folder: Path, inferences: int = 1) -> Engine:
    """Compile the network of a model folder for this machine and so many inferences at a time; raises ModelError.

    This is the place to choose another engine; it is imported here, because importing it takes as long as using it.
    """
    from detection.openvino import OpenVINOEngine

    return OpenVINOEngine(folder, inferences)


def load_in_background(folder: Path, *, hurried: bool = False) -> Future[Engine]:
    """Compile in a thread while the caller goes on; the future raises ModelError.

    `hurried` says that a request is waiting already. Since the first inference of a process takes longer than later
    ones, the engine then is prepared for a 4:3 picture: a small network infers one here, while the caller is busy; a
    large one, whose inference would take too long, is compiled for this shape alone, which makes its first inference as
    fast as later ones (bench/first.md).

    The engine's library is imported before this returns: importing it in the thread would compete with the imports
    of the caller for the interpreter, compiling does not.
    """
    from detection.openvino import OneShapeEngine

    def load() -> Engine:
        if not hurried:
            return load_engine(folder)
        card = read_card(folder)
        box = fit(4, 3, card.input_size, card.stride)
        if (folder / WEIGHTS).stat().st_size > LARGE:
            return OneShapeEngine(folder, (box.height, box.width))
        engine = load_engine(folder)
        with engine.infer(np.zeros((box.height, box.width, 3), np.uint8)):
            return engine

    return ThreadPoolExecutor(1, "compile").submit(load)
