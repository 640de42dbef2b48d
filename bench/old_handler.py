"""The old design as a Lambda function, the baseline of bench.cold."""

import os
from pathlib import Path

import boto3

from bench.old_design import load_checkpoint, old_request
from detection.card import read_card

answer = old_request(
    read_card(Path(os.environ["MODEL_FOLDER"])),
    boto3.client("s3", region_name=os.environ["AWS_REGION"]),
    os.environ,
    lambda: load_checkpoint(Path(os.environ["CHECKPOINT"])),
)


def handler(_event: object, _context: object) -> dict[str, str]:
    """Handle one event."""
    answer()
    return {}
