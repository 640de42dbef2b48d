"""This project's Lambda function before its cold start was optimised: it imports and starts everything in sequence."""

import os
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.logging.utils import copy_config_to_registered_loggers
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType
from aws_lambda_powertools.utilities.typing import LambdaContext

from detection.openvino import OpenVINOEngine
from serving.bodies import request_from
from serving.contract import Call
from serving.predictor import load_predictor
from serving.settings import load_settings

# As in the examples of Powertools: each of these imports costs time at the cold start.
logger, metrics, tracer = Logger(service="yolov7"), Metrics(namespace="YOLOv7", service="yolov7"), Tracer()
routes, batches = APIGatewayHttpResolver(), BatchProcessor(EventType.SQS)
copy_config_to_registered_loggers(logger, include={"bentoml"})
folder = Path(os.environ["MODEL_FOLDER"])
predictor = load_predictor(load_settings(), folder, lambda: OpenVINOEngine(folder))


@logger.inject_lambda_context
@metrics.log_metrics(capture_cold_start_metric=True)
def handler(event: Any, _context: LambdaContext) -> dict[str, Any]:
    """Handle one event."""
    return predictor.predict(Call(request_from(event))).found.model_dump()
