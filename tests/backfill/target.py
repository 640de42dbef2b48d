"""An HTTP server that answers as /predict does, or as a test says, and keeps all requests."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable
from typing import Any

Reply = tuple[int, dict[str, str], bytes]
BUS = {"label": "bus", "class_id": 0, "confidence": 0.9, "box": {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0}}


def answer(**more: Any) -> dict[str, Any]:
    """A response of /predict with one bus."""
    return {
        "detections": [BUS],
        "image": {"width": 640, "height": 480},
        "model": {"name": "m", "version": "1"},
        "timings_ms": {"decode": 1.0, "detect": 5.5, "total": 8.2},
        **more,
    }


def failure(status: int, code: str, **headers: str) -> Reply:
    """An error of the contract."""
    error = {"error": {"code": code, "message": f"{code}!", "request_id": "1"}}
    return status, {k.replace("_", "-"): v for k, v in headers.items()}, json.dumps(error).encode()


GOOD: Reply = (200, {}, json.dumps(answer()).encode())


class Target:
    """`reply` gets path, headers and body of each request."""

    def __init__(self) -> None:
        self.reply: Callable[[str, dict[str, str], bytes], Reply] = lambda *_: GOOD
        self.delay_s = 0.0
        self.at_once = self.most_at_once = 0
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        lock = threading.Lock()
        target = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                asked = self.path, {k.lower(): v for k, v in self.headers.items()}, body
                with lock:
                    target.asked.append(asked)
                    target.at_once += 1
                    target.most_at_once = max(target.most_at_once, target.at_once)
                time.sleep(target.delay_s)
                status, headers, data = target.reply(*asked)
                with lock:
                    target.at_once -= 1
                try:
                    self.send_response(status)
                    for name, value in {"Content-Length": str(len(data)), **headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(data)
                except OSError:  # The client was killed.
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def keys(self) -> list[str]:
        """The keys of all requests, in their order."""
        return [json.loads(body)["filename"] for _, _, body in self.asked]

    def close(self) -> None:
        """Stop answering."""
        self.server.shutdown()
        self.server.server_close()
