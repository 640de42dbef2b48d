"""Settings from the environment and a .env file, and messages for wrong ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from serving.errors import SettingsError
from serving.settings import Settings, load_settings


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPUT_BUCKET", "pictures")
    monkeypatch.setenv("OUTPUT_BUCKET", "results")
    monkeypatch.setenv("MAX_IMAGE_PIXELS", "100")
    assert load_settings(None) == Settings(input_bucket="pictures", output_bucket="results", max_image_pixels=100)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings(input_bucket="abc", output_bucket="abc").input_bucket = "other"  # type: ignore[misc]


def test_a_env_file_adds_to_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / ".env"
    file.write_text("INPUT_BUCKET=from-file\nOUTPUT_BUCKET=from-file\nAWS_REGION=eu-central-1\n")
    monkeypatch.setenv("OUTPUT_BUCKET", "from-environment")
    for name in ("INPUT_BUCKET", "AWS_REGION"):  # monkeypatch then removes the values of the file after the test.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    settings = load_settings(file)
    assert (settings.input_bucket, settings.output_bucket) == ("from-file", "from-environment")
    assert os.environ["AWS_REGION"] == "eu-central-1"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "INPUT_BUCKET is not set; OUTPUT_BUCKET is not set "),
        ({"INPUT_BUCKET": "", "OUTPUT_BUCKET": "abc"}, "INPUT_BUCKET: .* at least 3 characters"),
        ({"INPUT_BUCKET": "abc", "OUTPUT_BUCKET": "abc", "JPEG_QUALITY": "101"}, "JPEG_QUALITY: .* less than or equal"),
        ({"INPUT_BUCKET": "abc", "OUTPUT_BUCKET": "abc", "RESULT_URL": "x"}, "RESULT_URL: .*'presigned' or 'public'"),
        (
            {"INPUT_BUCKET": "abc", "OUTPUT_BUCKET": "abc", "REQUEST_TIMEOUT_S": "inf"},
            "REQUEST_TIMEOUT_S: .* less than",
        ),
        (
            {"INPUT_BUCKET": "abc", "OUTPUT_BUCKET": "abc", "S3_READ_TIMEOUT_S": "1e10"},
            "S3_READ_TIMEOUT_S: .* less than",
        ),
        ({"INPUT_BUCKET": "abc", "OUTPUT_BUCKET": "abc", "PAGE": "no"}, "PAGE: .*'on' or 'off'"),
        (
            {"INPUT_BUCKET": "abc", "OUTPUT_BUCKET": "abc", "PAGE_SAMPLES": "a.jpg, /b"},
            "PAGE_SAMPLES: .*must not start",
        ),
        ({"INPUT_BUCKET": "abc", "OUTPUT_BUCKET": "abc", "MAX_QUEUE": "many"}, "MAX_QUEUE: .* valid integer"),
        *(
            (
                {"INPUT_BUCKET": "abc", "OUTPUT_BUCKET": "abc", "QUEUE_URL": url},
                "QUEUE_URL: .* URL of an SQS queue, e.g.",
            )
            for url in (
                "my-queue",
                "arn:aws:sqs:eu-central-1:123456789012:q",
                "https://sqs.eu-central-1.amazonaws.com",
                "https://user:pw@sqs.example/1/q",
                "https://sqs.example/1/q?x=y",
                "ftp://sqs.example/1/q",
            )
        ),
    ],
)
def test_wrong_settings_are_all_named_in_one_line(
    environment: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message) as caught:
        load_settings(None)
    assert "\n" not in str(caught.value)
