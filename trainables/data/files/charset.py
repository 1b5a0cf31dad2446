"""Which encoding a text file is in: said, marked at its start, UTF-8, or guessed."""

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO

import charset_normalizer

from rarecall.analysis.errors import Fault, InputError
from rarecall.trainables.data.files.options import SAMPLE_BYTES, Tell

# The longest mark first: that of UTF-32 begins as that of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What files of data are in beside UTF-8, the likeliest first among those that fit as well.
_LIKELY = ("cp1252", "cp1250", "cp1251", "cp932", "gb18030", "big5", "euc_kr", "euc_jp", "koi8_r", "cp1253", "cp1254")
GUESS_BYTES = 2**16
# How much of it may look strange; short lines of Japanese do.
MESS = 0.5


def text_lines(path: object, file: BinaryIO, encoding: str | None, newline: str, tell: Tell) -> Iterator[str]:
    """The lines of a text file with their ends, which `newline` says as `open` has it.

    Bytes that do not fit become lone surrogates (PEP 383), for which `misfit` has a word; of UTF-16 they are an error.

    Raises:
        InputError: no encoding is called so.
    """
    sample = file.read(SAMPLE_BYTES)
    chosen = checked(encoding) if encoding is not None else _found(path, sample, tell)
    joined = io.BufferedReader(_Joined(sample, file), SAMPLE_BYTES)
    errors = "surrogateescape" if _escapes(chosen) else "strict"
    return io.TextIOWrapper(joined, encoding=chosen, errors=errors, newline=newline)


def checked(encoding: str) -> str:
    """The name of a text encoding, UTF-8 with or without its mark.

    Raises:
        InputError: there is none of that name.
    """
    try:
        found = codecs.lookup(encoding) if "\0" not in encoding else None
    except LookupError:
        found = None
    if (
        found is None
        or not getattr(found, "_is_text_encoding", True)
        or found.name in ("idna", "punycode", "undefined")
    ):
        rule, remedy = "must be an encoding that Python knows", "for example utf-8, cp1252, utf-16 or shift_jis"
        raise InputError("data.encoding", [Fault("data.encoding", rule, repr(encoding), remedy)])
    return "utf-8-sig" if found.name == "utf-8" else found.name


def misfit(text: str) -> str:
    """The first byte of the text that is not of its encoding, "" where all are."""
    if text.isascii():
        return ""
    bad = next((character for character in text if "\udc80" <= character <= "\udcff"), "")
    return f"byte 0x{ord(bad) - 0xDC00:02x}" if bad else ""


def _escapes(encoding: str) -> bool:
    """Whether surrogateescape works: it does not where a character is several units."""
    return not encoding.startswith(("utf-16", "utf-32"))


def _found(path: object, sample: bytes, tell: Tell) -> str:
    for mark, encoding in _MARKS:
        if sample.startswith(mark):
            return encoding
    if b"\0" in sample[:1024] and (wide := _wide(sample[:1024])):
        tell(f"{path}: read as {wide} (data.encoding)")
        return wide
    if sample.isascii() or _is_utf_8(sample):
        return "utf-8-sig"
    guess = _guessed(sample)
    if guess is None:
        return "utf-8-sig"  # each line that is not is told
    tell(
        f"{path}: is not UTF-8; read as {guess}, such as {_example(sample, guess)!r} (data.encoding, if that is wrong)"
    )
    return guess


def _wide(sample: bytes) -> str:
    """UTF-16 without a mark, by where its zeros are in texts of Latin letters."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if max(even, odd) < len(sample) // 4:
        return ""
    return "utf-16-be" if even > odd else "utf-16-le"


def _is_utf_8(sample: bytes) -> bool:
    """Whether more of the sample can only be UTF-8 than cannot be; a few bad lines do not make it another encoding."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(sample)
    bad = text.count("\ufffd")
    return bad == 0 or bad <= sum(not character.isascii() for character in text) - bad


def _guessed(sample: bytes) -> str | None:
    """The likeliest encoding of the lines that are not ASCII."""
    lines = b"".join(line for line in sample.splitlines(keepends=True) if not line.isascii())[:GUESS_BYTES]
    fits = {
        match.encoding: match
        for match in charset_normalizer.from_bytes(lines, threshold=MESS, cp_isolation=list(_LIKELY))
    }
    if not fits:
        return None
    best = min(fits.values(), key=lambda match: (round(match.chaos, 3), -round(match.coherence, 3)))
    equal = [
        name
        for name in _LIKELY
        if name in fits and fits[name].chaos <= best.chaos and fits[name].coherence >= best.coherence
    ]
    return equal[0] if equal else best.encoding


def _example(sample: bytes, encoding: str) -> str:
    """A word that the guess decides."""
    words = (word for word in sample.split() if not word.isascii())
    return next(words, b"").decode(encoding, "replace")[:40]


class _Joined(io.RawIOBase):
    """The bytes that were looked at, and then the rest of the file."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest, self._place = head, rest, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]  # any buffer
        size = len(buffer)
        if self._place < len(self._head):
            data = self._head[self._place : self._place + size]
            self._place += len(data)
        else:
            data = self._rest.read(size)
        buffer[: len(data)] = data
        return len(data)
