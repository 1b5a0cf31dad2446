"""Inputs that are nearly right: bytes of a good one, changed at random places."""

from collections.abc import Sequence
from random import Random

# What has broken readers before, whatever they read.
TOKENS = (
    *(b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\x1b[31m", b"\xed\xa0\x80", b"\xe2\x80\xae", b"\\u0000", b"\\ud800"),
    *(bytes([one]) for one in b"\"'\n\r\t,;|[]{}:-="),
    *(b"&a", b"*a", b"!!", b"null", b"true", b"NaN", b"Infinity", b"-0", b"1e999", b"1" * 400, b"999999999999"),
    *(b"[" * 300, b'{"a":' * 60, b"../../x", b"/etc/passwd", b"__class__", b"%s%n", b"<script>"),
)
# Most inputs stay near to a good one.
CHANGES = (1, 1, 1, 2, 3, 6)
LONGEST = 200_000


def mutated(seeds: Sequence[bytes], random: Random, tokens: Sequence[bytes] = ()) -> bytes:
    """One of the seeds after up to six changes: bytes flipped, cut, doubled, replaced by tokens or by another seed."""
    data = bytearray(random.choice(seeds))
    for _ in range(random.choice(CHANGES)):
        _change(data, seeds, random, (*tokens, *TOKENS))
    return bytes(data[:LONGEST])


def _change(data: bytearray, seeds: Sequence[bytes], random: Random, tokens: Sequence[bytes]) -> None:
    start = random.randint(0, len(data))
    end = min(len(data), start + random.choice((1, 1, 2, 8, 64)))
    kind = random.randrange(7)
    if kind == 0 and data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    elif kind == 1:
        del data[start:end]
    elif kind == 2:
        data[start:start] = data[start:end] * random.randint(1, 5)
    elif kind == 3:
        del data[start:]
    elif kind == 4:
        other = random.choice(seeds)
        at = random.randint(0, len(other))
        data[start:end] = other[at : at + 64]
    else:
        data[start : end if kind == 5 else start] = random.choice(tokens)
