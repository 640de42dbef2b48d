"""The parts of the Lambda function outside the contract suite: every kind of event, SnapStart, a hardened sandbox.

tests/events has one file per event, in the formats of AWS's documentation.
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from detection.processor import read_processor
from local.aws_lambda.sandbox import Function, Sandbox, function_environment
from local.checkout import ROOT
from local.cli import SAMPLES
from local.doors import BUCKETS, INPUT_BUCKET, OUTPUT_BUCKET, LocalService, local_lambda
from local.processes import free_port
from local.s3 import LocalS3
from model_store import store
from scenes.render import Scene, render_scene
from serving.contract import STEPS
from serving.storage import RESULT_MARK
from tests.conftest import Answer, keys_in, predict, results, send, to_jpeg, upload
from tests.test_doors import PICTURE, matches

EVENTS = Path(__file__).parent / "events"
HTTP_EVENTS = (
    "http-api", "http-api-named-stage", "function-url-base64", "rest-api", "alb", "alb-multi-value",
)  # fmt: skip


def recorded(name: str) -> Any:
    return json.loads((EVENTS / f"{name}.json").read_text())


def invoke(door: LocalService, event: object) -> Answer:
    """Invoke the function with an event by Lambda's Invoke API."""
    return send(f"{door.url}/2015-03-31/functions/yolov7/invocations", json.dumps(event).encode())


def failure(answer: Answer) -> str:
    """The error message of a failed invocation."""
    assert (answer.status, answer.headers.get("x-amz-function-error")) == (200, "Unhandled"), answer.body
    message = str(answer.json["errorMessage"])
    assert "\n" not in message
    return message


@pytest.fixture(autouse=True)
def samples(s3: LocalS3) -> None:
    """Upload the pictures that the events name, and delete all earlier results."""
    for name, seed in SAMPLES.items():
        upload(s3, name, to_jpeg(render_scene(seed, 640).image))
    upload(s3, "my pictureé.jpg", PICTURE)
    for key in results(s3):
        s3.client().delete_object(Bucket=OUTPUT_BUCKET, Key=key)


@pytest.mark.parametrize("name", HTTP_EVENTS)
def test_an_http_event_gets_a_response_in_the_format_of_its_sender(
    name: str, lambda_door: LocalService, s3: LocalS3
) -> None:
    event = recorded(name)
    answer = invoke(lambda_door, event).json
    headers = answer.get("headers") or {k: v[0] for k, v in answer["multiValueHeaders"].items()}
    multiple = name in ("rest-api", "alb-multi-value")
    assert ("multiValueHeaders" in answer) == multiple
    assert answer["statusCode"] == 200
    assert not answer["isBase64Encoded"]
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Request-Id"] == "recorded-1"
    body = json.loads(answer["body"])
    wanted = predict(lambda_door, {"filename": "scene-1.jpg"}).json
    assert body["detections"] == wanted["detections"]
    assert {body["filename"]} == results(s3)


@pytest.mark.parametrize("name", HTTP_EVENTS)
def test_an_http_event_gets_an_error_in_the_format_of_its_sender(name: str, lambda_door: LocalService) -> None:
    event = recorded(name) | {"body": "%%%", "isBase64Encoded": True}
    answer = invoke(lambda_door, event).json
    assert answer["statusCode"] == 400
    error = json.loads(answer["body"])["error"]
    assert (error["code"], error["request_id"]) == ("invalid_request", "recorded-1")
    assert "base64" in error["message"]


@pytest.mark.parametrize("name", HTTP_EVENTS)
def test_an_http_event_without_a_body_gets_415(name: str, lambda_door: LocalService) -> None:
    for body in (None, ""):
        answer = invoke(lambda_door, recorded(name) | {"body": body, "isBase64Encoded": False}).json
        assert (answer["statusCode"], json.loads(answer["body"])["error"]["code"]) == (415, "unsupported_media_type")


def test_an_unknown_path_is_not_found(lambda_door: LocalService) -> None:
    assert send(f"{lambda_door.url}/unknown", {}).status == 404


def test_a_direct_invocation_gets_the_body_of_the_response_or_of_the_error(
    lambda_door: LocalService, s3: LocalS3
) -> None:
    answer = invoke(lambda_door, recorded("direct")).json
    assert {answer["filename"]} == results(s3)
    assert invoke(lambda_door, {"filename": "gone.jpg"}).json["error"]["code"] == "image_not_found"


@pytest.mark.parametrize("event", [[], "text", 7, None, {}, {"unknown": 1}, {"filename": ["a"]}])
def test_an_event_of_no_known_kind_is_an_invalid_request(event: object, lambda_door: LocalService) -> None:
    answer = invoke(lambda_door, event)
    assert answer.json["error"]["code"] == "invalid_request", answer.body


@pytest.mark.parametrize(
    ("name", "source"), [("s3", "scene-1"), ("s3-encoded-key", "my pictureé"), ("eventbridge-s3", "my pictureé")]
)
def test_a_repeated_event_about_a_new_object_writes_one_result(
    name: str, source: str, lambda_door: LocalService, s3: LocalS3
) -> None:
    answers = [invoke(lambda_door, recorded(name)).json for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    [key] = answers[0]["results"]
    assert results(s3) == {key}
    assert key.startswith(f"{source}_")


@pytest.mark.parametrize("name", ["s3-folder", "s3-removed", "s3-test"])
def test_events_about_folders_removals_and_tests_are_ignored(name: str, lambda_door: LocalService, s3: LocalS3) -> None:
    answer = invoke(lambda_door, recorded(name))
    assert "x-amz-function-error" not in answer.headers
    assert answer.json["results"] == []
    assert results(s3) == set()


def test_an_event_about_a_deleted_object_fails_and_names_it(lambda_door: LocalService, s3: LocalS3) -> None:
    s3.client().delete_object(Bucket=INPUT_BUCKET, Key="scene-1.jpg")
    assert failure(invoke(lambda_door, recorded("s3"))).startswith("scene-1.jpg: scene-1.jpg is not in bucket")
    assert invoke(lambda_door, recorded("eventbridge-s3")).json["results"]


def test_a_failing_picture_does_not_stop_the_other_pictures_of_an_event(lambda_door: LocalService, s3: LocalS3) -> None:
    gone, there = recorded("s3"), recorded("s3-encoded-key")
    gone["Records"][0]["s3"]["object"]["key"] = "gone.jpg"
    event = {"Records": gone["Records"] + there["Records"]}
    assert failure(invoke(lambda_door, event)).count("gone.jpg: ") == 1
    assert len(results(s3)) == 1


@pytest.mark.parametrize(
    ("name", "start"), [("sns", "an event of aws:sns"), ("websocket", "this HTTP event is not of a known kind")]
)
def test_an_event_of_another_service_fails_and_names_its_source(
    name: str, start: str, lambda_door: LocalService
) -> None:
    assert failure(invoke(lambda_door, recorded(name))).startswith(start)


def test_an_incomplete_s3_event_fails_and_names_the_missing_field(lambda_door: LocalService) -> None:
    event = recorded("s3")
    del event["Records"][0]["s3"]["bucket"]
    assert "KeyError 'bucket'" in failure(invoke(lambda_door, event))
    assert "incomplete" in failure(invoke(lambda_door, recorded("eventbridge-s3") | {"detail": []}))


def test_an_event_of_another_bucket_fails_and_names_both_buckets(lambda_door: LocalService) -> None:
    event = recorded("s3")
    event["Records"][0]["s3"]["bucket"]["name"] = "elsewhere"
    message = failure(invoke(lambda_door, event))
    assert "elsewhere" in message
    assert INPUT_BUCKET in message


def test_only_the_failed_messages_of_a_batch_are_reported(lambda_door: LocalService, s3: LocalS3) -> None:
    event = recorded("sqs-ten-with-three-bad")
    answer = invoke(lambda_door, event)
    assert "x-amz-function-error" not in answer.headers
    reported = [item["itemIdentifier"] for item in answer.json["batchItemFailures"]]
    bad = [2, 4, 6]  # A missing picture, invalid JSON, and a confidence of 7.
    assert reported == [event["Records"][number]["messageId"] for number in bad]
    assert len(results(s3)) == 5  # Two messages name the same picture, and one is S3's test event.


def test_all_messages_of_a_batch_are_reported_if_all_fail(lambda_door: LocalService) -> None:
    event = recorded("sqs-ten-with-three-bad")
    event["Records"] = [event["Records"][number] for number in (2, 4)]
    answer = invoke(lambda_door, event)
    assert "x-amz-function-error" not in answer.headers
    assert len(answer.json["batchItemFailures"]) == 2


@pytest.mark.parametrize(("name", "source"), [("s3-batch-1.0", "scene-1"), ("s3-batch-2.0", "my pictureé")])
def test_a_task_of_s3_batch_operations_stores_one_result(
    name: str, source: str, lambda_door: LocalService, s3: LocalS3
) -> None:
    event = recorded(name)
    answers = [invoke(lambda_door, event).json for _ in range(2)]
    assert answers[0] == answers[1]
    [result] = answers[0].pop("results")
    assert answers[0] == {
        "invocationSchemaVersion": event["invocationSchemaVersion"],
        "invocationId": event["invocationId"],
        "treatMissingKeysAs": "PermanentFailure",
    }
    assert (result["taskId"], result["resultCode"]) == (event["tasks"][0]["taskId"], "Succeeded")
    found = json.loads(result["resultString"])
    assert results(s3) == {found["filename"]}
    assert found["filename"].startswith(f"{source}_")
    wanted = predict(lambda_door, {"filename": f"{source}.jpg", "confidence": 0.4}).json["detections"]
    if name == "s3-batch-2.0":  # Its job's arguments ask for this confidence.
        assert found["detections"] == len(wanted) == sum(found["labels"].values())


def test_a_task_of_s3_batch_operations_that_fails_says_whether_s3_shall_try_again(
    lambda_door: LocalService, s3: LocalS3
) -> None:
    upload(s3, "notes.txt", b"no picture")
    said = {}
    for key in ("gone.jpg", "notes.txt"):
        event = recorded("s3-batch-2.0")
        event["tasks"][0]["s3Key"] = key
        [result] = invoke(lambda_door, event).json["results"]
        said[key] = (result["resultCode"], json.loads(result["resultString"])["error"]["code"])
    assert said == {
        "gone.jpg": ("PermanentFailure", "image_not_found"),
        "notes.txt": ("PermanentFailure", "not_an_image"),
    }
    assert failure(invoke(lambda_door, recorded("s3-batch-2.0") | {"tasks": []})).endswith("has no tasks")
    assert results(s3) == set()


def test_a_task_is_tried_again_when_s3_is_gone(bundled_tag: str, tmp_path: Path) -> None:
    gone = LocalS3(f"http://127.0.0.1:{free_port()}")
    env = {"MODEL": bundled_tag, "S3_ATTEMPTS": "1"}
    with local_lambda(gone, port=free_port(), log=tmp_path / "lambda.log", env=env) as door:
        [result] = invoke(door, recorded("s3-batch-1.0")).json["results"]
    assert (result["resultCode"], json.loads(result["resultString"])["error"]["code"]) == (
        "TemporaryFailure",
        "storage_timeout",
    )


@pytest.mark.parametrize("prefix", ["", "annotated/"])
def test_results_in_the_watched_bucket_are_skipped(prefix: str, s3: LocalS3, bundled_tag: str, tmp_path: Path) -> None:
    env = {"MODEL": bundled_tag, "OUTPUT_BUCKET": INPUT_BUCKET, "RESULT_PREFIX": prefix}
    before = keys_in(s3, INPUT_BUCKET)
    with local_lambda(s3, port=free_port(), log=tmp_path / "lambda.log", env=env) as door:
        [key] = invoke(door, recorded("s3")).json["results"]
        assert key.startswith(prefix)
        event = recorded("s3")
        event["Records"][0]["s3"]["object"]["key"] = key
        assert invoke(door, event).json == {"results": [], "skipped": [key]}
        # A copy of it is recognised by its metadata.
        s3.client().copy_object(Bucket=INPUT_BUCKET, Key="copy.jpg", CopySource={"Bucket": INPUT_BUCKET, "Key": key})
        event["Records"][0]["s3"]["object"]["key"] = "copy.jpg"
        assert invoke(door, event).json == {"results": [], "skipped": ["copy.jpg"]}
        # A direct request for it is accepted.
        assert predict(door, {"filename": "copy.jpg"}).status == 200
    made = keys_in(s3, INPUT_BUCKET) - before
    assert len(made) == 3
    for left in made:
        assert s3.client().head_object(Bucket=INPUT_BUCKET, Key=left)["Metadata"] == RESULT_MARK
        s3.client().delete_object(Bucket=INPUT_BUCKET, Key=left)


def test_x_cold_start_is_true_only_for_the_first_response_of_each_sandbox(
    s3: LocalS3, bundled_tag: str, tmp_path: Path
) -> None:
    options = ["--concurrency=2"]
    with (
        local_lambda(
            s3, port=free_port(), log=tmp_path / "lambda.log", env={"MODEL": bundled_tag}, options=options
        ) as door,
        ThreadPoolExecutor(2) as pool,
    ):
        answers = list(pool.map(lambda _: predict(door, {"filename": "scene-1.jpg"}), range(8)))
    answered = [a.headers for a in answers if a.status == 200]
    cold = [h["x-instance-id"] for h in answered if h["x-cold-start"] == "true"]
    assert len(cold) == len(set(cold)) == len({h["x-instance-id"] for h in answered})
    assert len(answered) == 8


# What the image and the Terraform modules set.
VERSION = {"SERVICE_VERSION": "v1", "IMAGE_DIGEST": "sha256:" + "0a" * 32}


def last_log(door: LocalService) -> list[dict[str, Any]]:
    """All JSON lines of all sandboxes."""
    lines = [line for log in door.log.parent.glob("*-sandboxes/*/log") for line in log.read_text().splitlines()]
    return [json.loads(line) for line in lines if line.startswith("{")]


def test_logs_and_metrics_have_the_formats_of_powertools(s3: LocalS3, bundled_tag: str, tmp_path: Path) -> None:
    with local_lambda(s3, port=free_port(), log=tmp_path / "lambda.log", env={"MODEL": bundled_tag} | VERSION) as door:
        found = predict(door, {"filename": "scene-1.jpg"}, X_Request_Id="mine-1").json
        predict(door, {"filename": "gone.jpg"}, X_Request_Id="mine-2")
        lines = last_log(door)
    [told] = [line for line in lines if line.get("message") == "instance"]
    [loaded] = [line for line in lines if str(line.get("message")).startswith("loaded yolov7-tiny-scenes:")]
    [answered] = [line for line in lines if line.get("message") == "answered"]
    [refused] = [line for line in lines if line.get("level") == "WARNING"]
    assert loaded["service"] == "yolov7"
    processor = read_processor()
    for line in (told, answered):
        assert (line["cpu"], line["isa"]) == (processor.model, processor.isa)
    assert (told["version"], told["image_digest"]) == (VERSION["SERVICE_VERSION"], VERSION["IMAGE_DIGEST"])
    assert (answered["request_id"], answered["cold_start"], answered["picture"]) == ("mine-1", True, "scene-1.jpg")
    assert answered["timings_ms"] == found["timings_ms"]
    assert (refused["request_id"], refused["cold_start"], refused["level"]) == ("mine-2", False, "WARNING")
    emf = [line for line in lines if "_aws" in line]
    assert {line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in emf} == {"YOLOv7"}
    cold, first, by_code, second = emf
    assert (by_code["code"], by_code["errors"]) == ("image_not_found", [1.0])
    assert cold["ColdStart"] == [1]
    assert {name: first[name] for name in ("fetch", "store", "detections")} == {
        "fetch": [found["timings_ms"]["fetch"]],
        "store": [found["timings_ms"]["store"]],
        "detections": [len(found["detections"])],
    }
    assert second["errors"] == [1]
    assert (first["cpu"], first["isa"]) == (processor.model, processor.isa)
    assert first["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]


TRACED = """
import lambda_function
from aws_lambda_powertools.utilities.typing import LambdaContext

class Context(LambdaContext):
    _aws_request_id, _function_name, _memory_limit_in_mb = "traced-1", "yolov7", 3000
    _invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:yolov7"

    @staticmethod
    def get_remaining_time_in_millis():
        return 30_000

lambda_function.handler({"filename": "scene-1.jpg"}, Context())
"""


def test_tracing_sends_a_trace_with_the_times_of_the_steps(s3: LocalS3, bundled_tag: str) -> None:
    """A socket of this test acts as the X-Ray daemon; Lambda's runtime sets this trace header for a sampled request."""
    env = function_environment(s3.env | BUCKETS | {"MODEL_FOLDER": str(store.find(bundled_tag))})
    env |= {"TRACING": "xray", "LAMBDA_TASK_ROOT": str(ROOT)}
    env |= {"_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(0.1)
        env["AWS_XRAY_DAEMON_ADDRESS"] = "{}:{}".format(*daemon.getsockname())
        done = subprocess.run([sys.executable, "-c", TRACED], cwd=ROOT, env=env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        segments = {}
        with contextlib.suppress(TimeoutError):
            while True:
                segment = json.loads(daemon.recv(65_536).partition(b"\n")[2])
                segments[segment["name"]] = segment
    assert "S3" in json.dumps(list(segments)).upper()
    assert set(segments["## handler"]["metadata"]["yolov7"]["timings_ms"]) == {*STEPS, "total"}


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({"OUTPUT_BUCKET": ""}, "error: OUTPUT_BUCKET: "),
        ({"MODEL_FOLDER": "/nowhere"}, "error: /nowhere is not a model folder: it has no model.json"),
        ({"JPEG_QUALITY": "high"}, "error: JPEG_QUALITY: "),
    ],
)
def test_a_setup_error_is_one_line_in_the_log(
    changes: dict[str, str], start: str, s3: LocalS3, bundled_tag: str, tmp_path: Path
) -> None:
    env = {"MODEL": bundled_tag} | changes
    with local_lambda(s3, port=free_port(), log=tmp_path / "lambda.log", env=env) as door:
        answer = predict(door, {"filename": "scene-1.jpg"})
        [log] = tmp_path.glob("lambda-sandboxes/*/log")
        shown = log.read_text()
    assert (answer.status, answer.json) == (500, {"message": "Internal Server Error"})
    assert any(line.startswith(start) for line in shown.splitlines()), shown
    assert "Traceback" not in shown


RENEWED = """
import json, random
import lambda_function as door
from awslambdaric.lambda_runtime_hooks_runner import run_after_restore
from serving.contract import Call, PredictRequest

def pools():
    return [id(p) for p in door.predictor.storage._client._endpoint.http_session._manager.pools._container.values()]

def state():
    cold = door.instance.headers("x")["X-Cold-Start"]
    found = door.predictor.predict(Call(PredictRequest(filename="scene-1.jpg"))).found
    return {"cold": cold, "id": door.instance.id, "pools": pools(), "found": len(found.detections),
            "key": found.filename, "random": random.getstate() == before}

random.seed(7); before = random.getstate()
first = state()
run_after_restore()
second = state()
random.seed(7)
print(json.dumps([first, second]))
"""


def test_a_restored_copy_renews_its_id_its_connections_and_its_random_state(s3: LocalS3, bundled_tag: str) -> None:
    env = function_environment(s3.env | BUCKETS | {"MODEL_FOLDER": str(store.find(bundled_tag))})
    env |= {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    done = subprocess.run([sys.executable, "-c", RENEWED], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout.splitlines()[-1])
    assert (first["cold"], second["cold"]) == ("true", "true")
    assert first["id"] != second["id"]
    assert not set(first["pools"]) & set(second["pools"])
    assert (first["random"], second["random"]) == (True, False)
    assert (first["found"], first["key"]) == (second["found"], second["key"])


# All file systems except /tmp are read-only, and the user is not root and has no capabilities.
HARDENED = """
mount --bind /tmp /tmp
while read -r _ where _; do
  case "$where" in /tmp|/tmp/*|/proc|/proc/*) ;; *) mount -o remount,bind,ro "$where" 2>/dev/null ;; esac
done < /proc/self/mounts
exec unshare --user --map-user=993 --map-group=990 "$@"
"""
PREFIX = ("unshare", "--map-root-user", "--mount", "sh", "-c", HARDENED, "sh")
PROBE = (
    'id -u; for folder in . / /dev/shm /var/tmp; do touch $folder/x 2>/dev/null && echo written; done; echo "${HOME-}"'
)


def test_the_function_runs_without_root_and_home_where_only_tmp_is_writable(
    s3: LocalS3, bundled_tag: str, tmp_path: Path, scene: Scene
) -> None:
    probe = subprocess.run(
        [*PREFIX, "sh", "-c", PROBE], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, cwd=ROOT
    )
    if "Operation not permitted" in probe.stderr:
        pytest.skip("this machine allows no user namespaces")
    assert probe.stdout == "993\n\n", probe
    upload(s3, "hardened.jpg", to_jpeg(scene.image))
    env = function_environment(s3.env | BUCKETS | {"MODEL_FOLDER": str(store.find(bundled_tag))})
    sandbox = Sandbox(Function("lambda_function.handler", ROOT, env), tmp_path, PREFIX)
    try:
        done = sandbox.invoke(b'{"filename": "hardened.jpg"}')
        again = sandbox.invoke(json.dumps(recorded("sqs-ten-with-three-bad")).encode())
    finally:
        sandbox.stop()
    assert done.failure is None, done.payload
    assert matches(json.loads(done.payload)["detections"], scene)
    assert len(json.loads(again.payload)["batchItemFailures"]) == 3
