"""The seam between a detection and the library that runs the network."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np

from detection.card import read_card
from detection.types import Floats, Picture


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


def load_in_background(folder: Path) -> Future[Engine]:
    """Compile in a thread while the caller goes on, and infer once; the future raises ModelError.

    The first inference of a process packs the weights, whatever the size of the picture. One of the smallest possible
    picture does this while the caller is busy (bench/first.md).

    The engine's library is imported before this returns: importing it in the thread would compete with the imports
    of the caller for the interpreter, compiling does not.
    """
    import detection.openvino  # noqa: F401

    def load() -> Engine:
        engine, side = load_engine(folder), read_card(folder).stride
        with engine.infer(np.zeros((side, side, 3), np.uint8)):
            return engine

    return ThreadPoolExecutor(1, "compile").submit(load)
