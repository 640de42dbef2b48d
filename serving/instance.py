"""The identity of a serving process, and the ids of its requests."""

from __future__ import annotations

import re
import threading
import uuid
from dataclasses import dataclass, field

from detection.processor import Processor, read_processor

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/=+-]{1,128}")


@dataclass
class Instance:
    """One serving process or sandbox; knows what it runs, where, and whether it has answered before. Thread-safe.

    `version` and `image_digest` are empty if it does not run in an image, or if the platform does not pass the digest.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    version: str = ""
    image_digest: str = ""
    processor: Processor = field(default_factory=read_processor)
    _answered: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def renew(self) -> None:
        """Take a new id, look at the processor and count as cold again: for a process restored from a snapshot."""
        with self._lock:
            self.id, self._answered = uuid.uuid4().hex, False
            self.processor = read_processor()

    def facts(self) -> dict[str, str]:
        """What the log says of an instance once, at its start."""
        return {
            "instance": self.id,
            "cpu": self.processor.model,
            "isa": self.processor.isa,
            "version": self.version,
            "image_digest": self.image_digest,
        }

    def success_headers(self) -> dict[str, str]:
        """The headers that only an answer with status 200 has: callers who are refused are not told what runs here."""
        said = {"X-Instance-Cpu": str(self.processor), "X-Version": self.version, "X-Image-Digest": self.image_digest}
        return {name: value for name, value in said.items() if value}

    def headers(self, request_id: str) -> dict[str, str]:
        """The headers of every answer; marks the instance as warm."""
        with self._lock:
            cold, self._answered = not self._answered, True
        return {
            "Content-Type": "application/json",
            "X-Cold-Start": "true" if cold else "false",
            "X-Instance-Id": self.id,
            "X-Request-Id": request_id,
        }


def request_id_from(header: str | None) -> str:
    """Echo the client's request id when it is harmless, else make one."""
    return header if header and _REQUEST_ID.fullmatch(header) else uuid.uuid4().hex
