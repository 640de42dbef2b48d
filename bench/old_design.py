"""The old design that this project replaces: torch in fp32, and the checkpoint read for every request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from detection.annotate import annotate
from detection.card import ModelCard
from detection.letterbox import fit
from detection.postprocess import maps_to_candidates, nms
from detection.types import Detections, Picture
from model_store.network.graph import Network

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "bench.jpg"


def load_checkpoint(file: Path) -> Network:
    """Unpickle the whole module, convert it to fp32 and fold it."""
    network = torch.load(file, weights_only=False)
    assert isinstance(network, Network)
    return network.float().fused()


def to_tensor(picture: Picture) -> torch.Tensor:
    """(H, W, 3) uint8 BGR to (1, 3, H, W) float32 RGB in 0..1."""
    planes = np.ascontiguousarray(picture[:, :, ::-1].transpose(2, 0, 1))
    return torch.from_numpy(planes)[None].float() / 255


def old_request(
    card: ModelCard, client: S3Client, environment: Mapping[str, str], load: Callable[[], Network]
) -> Callable[[], None]:
    """A whole request by S3, OpenCV, torch and S3. It has no HTTP, which favours the old design in a comparison."""
    anchors = np.array(card.anchors, np.float32)
    source, target = environment["INPUT_BUCKET"], environment["OUTPUT_BUCKET"]

    def request() -> None:
        data = client.get_object(Bucket=source, Key=KEY)["Body"].read()
        picture = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)
        box = fit(picture.shape[1], picture.shape[0], card.input_size, card.stride)
        with torch.no_grad():
            maps = [m[0].numpy() for m in load()(to_tensor(box.apply(picture)))]
        boxes, scores, ids = maps_to_candidates(maps, anchors, card.strides, 0.25)
        kept = nms(boxes, scores, ids, 0.45)
        found = Detections(box.to_source(boxes[kept]), scores[kept], ids[kept], card.labels)
        annotate(picture, found)
        jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
        client.put_object(Bucket=target, Key="old.jpg", Body=jpeg)

    return request
