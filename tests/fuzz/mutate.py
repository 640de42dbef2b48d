"""How bytes are mutated."""

from __future__ import annotations

import struct
from random import Random

EDGES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 30_000, 0x7FFFFFFF, 0xFFFFFFFF)


def mutated(data: bytes, random: Random) -> bytes:
    """Change, remove, repeat or insert a few bytes, half of the time near the beginning."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4, 16))):
        at = random.randrange(min(len(changed), random.choice((200, 10**9))) or 1)
        kind = random.randrange(5)
        if kind == 0:
            changed[at : at + 1] = random.randbytes(1)
        elif kind == 1:
            number = struct.pack(random.choice("<>") + "I", random.choice(EDGES))
            changed[at : at + 4] = random.choice((number, number[:2], number[2:]))
        elif kind == 2:
            del changed[at : at + random.randrange(1, 100)]
        elif kind == 3:
            start = random.randrange(len(changed) or 1)
            changed[at:at] = changed[start : start + random.randrange(1, 500)] * random.choice((1, 1, 2, 50))
        else:
            changed[at:at] = random.randbytes(random.randrange(1, 20))
    return bytes(changed)
