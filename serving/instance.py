"""The identity of a serving process, and the ids of its requests."""

from __future__ import annotations

import re
import threading
import uuid
from dataclasses import dataclass, field

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/=+-]{1,128}")


@dataclass
class Instance:
    """One serving process or sandbox; knows its id and whether it has answered before. Thread-safe."""

    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    _answered: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def renew(self) -> None:
        """Take a new id and count as cold again: for a process restored from a snapshot."""
        with self._lock:
            self.id, self._answered = uuid.uuid4().hex, False

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
