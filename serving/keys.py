"""API keys: who may call a door that is open to a network."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable

from serving.errors import Forbidden, Unauthorized

_ENTRY = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9a-fA-F]{64})")
_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


class ApiKeys:
    """The keys that may call the service; without any, everybody may.

    Only hashes are kept, so that neither a setting nor a log shows a key. Keys have names, so that one of them can be
    withdrawn without the others.
    """

    def __init__(self, setting: str) -> None:
        """Read `name:sha256,name:sha256`; raises ValueError that names the first entry at fault."""
        entries = [entry.strip() for entry in setting.split(",") if entry.strip()]
        if setting and not entries:  # For instance "," of a template: without entries everybody may call.
            raise ValueError("has no entry; leave it empty if everybody may call")
        self._hashes: dict[str, bytes] = {}
        for number, entry in enumerate(entries, start=1):
            if not (found := _ENTRY.fullmatch(entry)):
                raise ValueError(f"entry {number} must be name:hash, the hash being the key's SHA-256 as 64 hex digits")
            if found[1] in self._hashes:
                raise ValueError(f"entry {number} has the name {found[1]} again")
            self._hashes[found[1]] = bytes.fromhex(found[2])

    def check(self, header: Callable[[str], str | None]) -> None:
        """Check a request's key; `header` gives a header's value by its lower-case name.

        The key is in `x-api-key`, or in `authorization` as a bearer token. Raises Unauthorized without a key, and
        Forbidden for one that is not known. The time this takes tells nothing about the keys.
        """
        if not self._hashes:
            return
        bearer = _BEARER.fullmatch(header("authorization") or "")
        given = header("x-api-key") or (bearer[1] if bearer else None)
        if not given:
            raise Unauthorized("send a key in the header x-api-key, or in Authorization as a bearer token")
        digest = hashlib.sha256(given.encode(errors="surrogatepass")).digest()
        matches = [hmac.compare_digest(digest, known) for known in self._hashes.values()]
        if not any(matches):
            raise Forbidden("the key is not one of this service's (API_KEYS)")
