"""A Lambda function that does what it is told, misbehaving above all: for the tests of the local Lambda."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from typing import Any

answers = 0


def handler(event: dict[str, Any], _context: object) -> Any:
    """Do what the event, or the JSON in the body of an HTTP event, says; answer what is known of this sandbox."""
    global answers
    answers += 1
    told = event
    if "requestContext" in event:
        told = {} if event["isBase64Encoded"] else json.loads(event.get("body") or "{}")
    if "ignore" in told:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "detach" in told:
        command = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
        told = {"payload": subprocess.Popen(command, start_new_session=True).pid}
    if "sleep" in told:
        time.sleep(told["sleep"])
    if "segfault" in told:
        os.kill(os.getpid(), 11)
    if "exit" in told:
        os._exit(told["exit"])
    if "raise" in told:
        raise ValueError(told["raise"])
    kept = []
    while "leak" in told:
        kept.append(b"x" * 10_000_000)
    if "payload" in told:
        return told["payload"]
    if "file" in told:
        with open(told["file"]) as file:
            return file.read()
    return {"answers": answers, "pid": os.getpid(), "event": event, "environ": dict(os.environ)}
