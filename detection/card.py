"""The card of a stored model; the network itself is in the engine's two files beside the card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from detection.errors import ModelError

# The files of a model folder: the card, and the two files of the engine.
CARD = "model.json"
NETWORK = "model.xml"
WEIGHTS = "model.bin"

RANDOM_SUFFIX = "-random"


class ModelCard(BaseModel):
    """What serving must know about a model, and where the model comes from.

    `anchors` is (scales, anchors per scale, 2), width and height in pixels; `strides` has one entry per scale;
    `input_size` is the long side of the network's input in pixels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    variant: str
    form: str | None = None
    labels: tuple[str, ...] = Field(min_length=1)
    anchors: tuple[tuple[tuple[float, float], ...], ...] = Field(min_length=1)
    strides: tuple[int, ...] = Field(min_length=1)
    input_size: int = Field(ge=32)
    precision: str
    random: bool = False
    source: str
    source_sha256: str | None = None
    licence: str
    tools: dict[str, str] = Field(default_factory=dict)
    evaluation: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _random_shows(self) -> ModelCard:
        if self.random != self.name.endswith(RANDOM_SUFFIX):
            raise ValueError(f"the name of a model with random weights, and of no other, ends with {RANDOM_SUFFIX}")
        return self

    @property
    def stride(self) -> int:
        """What both sides of the network's input must be multiples of, pixels."""
        return max(self.strides)


def read_card(folder: Path) -> ModelCard:
    """Read a model folder's card; raises ModelError when it is missing or wrong."""
    try:
        return ModelCard.model_validate_json((folder / CARD).read_bytes())
    except FileNotFoundError:
        raise ModelError(
            f"{folder} is not a model folder: it has no {CARD}; add one with python -m model_store add"
        ) from None
    except ValidationError as exc:
        error = exc.errors()[0]
        name = ".".join(str(part) for part in error["loc"])
        raise ModelError(f"{folder / CARD} is damaged ({name}: {error['msg']}): add the model again") from None
