"""Changes bytes without guidance, for examples of which none may differ between two runs."""

from __future__ import annotations

import random

TOKENS = (
    b"\0", b"\n", b"\n\n", b"\xff", b"\x80", b"\xed\xa0\x80", b"\xe2\x80\xae", b"9" * 30, b"-1", b"1e999", b"NaN",
    b"[", b"{", b'"', b"\\", b",", b";", b"=", b"\xef\xbb\xbf", b"\xe2\x80\x94 ", b"0001-01-01T00:00:00+23:59",
    b"9999-12-31", b"<!DOCTYPE",
)  # fmt: skip


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The input after one to four changes."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(7):
            case 0:
                del changed[at : at + rng.randint(1, 20)]
            case 1:
                changed[at:at] = rng.choice(TOKENS)
            case 2:
                changed[at : at + 1] = rng.randbytes(1)
            case 3:
                changed[at:at] = rng.randbytes(rng.randint(1, 12))
            case 4:
                other = rng.randrange(len(changed) + 1)
                changed[at:at] = changed[other : other + rng.randint(1, 60)]
            case 5 if at < len(changed):
                changed[at] ^= 1 << rng.randrange(8)
            case _:
                del changed[at:]
    return bytes(changed)
