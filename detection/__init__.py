"""Find objects in a picture with YOLOv7: fetch, decode, detect, annotate, store."""

from detection.contract import PredictAnswer, PredictRequest
from detection.errors import DetectionError, RequestError, SetupError
from detection.predictor import Predictor, load_predictor
from detection.settings import Settings, load_settings
from detection.types import Detections

__all__ = [
    "DetectionError",
    "Detections",
    "PredictAnswer",
    "PredictRequest",
    "Predictor",
    "RequestError",
    "Settings",
    "SetupError",
    "load_predictor",
    "load_settings",
]
