"""The errors of stored models, and of the files that they are converted from.

UserError
└── ModelStoreError
    ├── StoreError           no such model in the store, or it has changed
    ├── ArgumentError        an argument of the command line is wrong, or does not fit another
    ├── MissingTool          converting needs a package that is not installed
    ├── DownloadError        weights cannot be downloaded, or are not the expected ones
    ├── CheckpointError      a file cannot be read safely, or is not a YOLOv7 checkpoint
    ├── BenchmarkError       a model cannot be run to compare it
    └── PicturesError        pictures or annotations cannot be used to calibrate or evaluate
"""

from __future__ import annotations

from detection.errors import UserError


class ModelStoreError(UserError):
    """Base of this room's errors."""


class StoreError(ModelStoreError):
    """The store has no such model, or the model's files have changed."""


class ArgumentError(ModelStoreError):
    """An argument of the command line is wrong, or does not fit another."""


class MissingTool(ModelStoreError):
    """A package that converting needs is not installed."""


class DownloadError(ModelStoreError):
    """Weights cannot be downloaded, or are not the expected ones."""


class CheckpointError(ModelStoreError):
    """A file cannot be read safely, or is not a YOLOv7 checkpoint."""


class PicturesError(ModelStoreError):
    """Pictures or annotations cannot be used to calibrate or evaluate."""


class BenchmarkError(ModelStoreError):
    """A model cannot be run in one of the ways that are compared."""
