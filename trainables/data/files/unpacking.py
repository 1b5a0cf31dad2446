"""The bytes of a data file, unpacked where they are compressed: gzip, bzip2, xz, Zstandard, or one file in a zip."""

import bz2
import contextlib
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow

from rarecall.analysis.errors import first_line
from rarecall.trainables.data.files.options import unusable

SUFFIXES = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".lzma": "xz", ".zst": "zstd", ".zip": "zip"}
# What the first bytes of a packed file are; a name may say something else.
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
_MAGIC[b"]\x00\x00"] = "xz"  # the older .lzma
# What the libraries raise for bytes that are not of their kind, or are cut.
BROKEN = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, pyarrow.ArrowException, RuntimeError)


def inner_name(path: Path) -> str:
    """The name of what is packed in the file, its own where it is not packed.

    >>> inner_name(Path("data/rows.csv.gz")), inner_name(Path("rows.csv"))
    ('rows.csv', 'rows.csv')
    """
    if path.suffix.lower() != ".zip":
        return path.stem if path.suffix.lower() in SUFFIXES else path.name
    try:
        with zipfile.ZipFile(path) as archive:
            return Path(_member(path, archive)).name
    except (OSError, *BROKEN):
        return path.stem  # told when it is opened


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The unpacked bytes of a file.

    Raises:
        InputError: it is cut, of another kind, encrypted, or an archive of several files.
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(6)
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    named = SUFFIXES.get(path.suffix.lower())
    if named is not None and kind != named:
        raise unusable(path, f"must be a {named} file, as its name says", f"one that begins with {head!r}")
    try:
        with contextlib.ExitStack() as stack:
            yield _openers[kind](path, stack) if kind else stack.enter_context(path.open("rb"))
    except gzip.BadGzipFile as error:
        raise unusable(path, "must be a whole gzip file", first_line(error)) from error
    except BROKEN as error:
        if kind is None or isinstance(error, RecursionError):
            raise
        raise unusable(path, f"must be a whole {kind} file", first_line(error)) from error


def _gzip(path: Path, stack: contextlib.ExitStack) -> BinaryIO:
    return cast(BinaryIO, stack.enter_context(gzip.open(path, "rb")))


def _bz2(path: Path, stack: contextlib.ExitStack) -> BinaryIO:
    return cast(BinaryIO, stack.enter_context(bz2.open(path, "rb")))


def _xz(path: Path, stack: contextlib.ExitStack) -> BinaryIO:
    return cast(BinaryIO, stack.enter_context(lzma.open(path, "rb")))


def _zstd(path: Path, stack: contextlib.ExitStack) -> BinaryIO:
    return cast(BinaryIO, stack.enter_context(pyarrow.CompressedInputStream(pyarrow.OSFile(str(path)), "zstd")))


def _zip(path: Path, stack: contextlib.ExitStack) -> BinaryIO:
    archive = stack.enter_context(zipfile.ZipFile(path))
    name = _member(path, archive)
    try:
        return cast(BinaryIO, stack.enter_context(archive.open(name)))
    except (RuntimeError, NotImplementedError) as error:
        raise unusable(path, "must hold a file that can be unpacked", first_line(error), "unpack it first") from error


def _member(path: Path, archive: zipfile.ZipFile) -> str:
    """The one file of an archive; what macOS adds does not count."""
    names = [one.filename for one in archive.infolist() if not one.is_dir() and not _added(one.filename)]
    if len(names) != 1:
        told = ", ".join(names[:5]) or "none"
        raise unusable(path, "must hold one file", told, "unpack it, and name the files in data")
    return names[0]


def _added(name: str) -> bool:
    return name.startswith("__MACOSX/") or Path(name).name == ".DS_Store"


_openers: dict[str, Callable[[Path, contextlib.ExitStack], Any]] = {
    "gzip": _gzip,
    "bz2": _bz2,
    "xz": _xz,
    "zstd": _zstd,
    "zip": _zip,
}
