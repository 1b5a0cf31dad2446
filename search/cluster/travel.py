"""Folders of this machine that workers on other machines can open."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from typing import Any

import ray

PREFIX = "rarecall-"


@dataclass(frozen=True)
class TravellingFolder:
    """A folder with its files in Ray's object store.

    path: on the machine it comes from. digest: of its files' names and contents. files: in a list, so that Ray fetches
    them only where they are needed.
    """

    path: str
    digest: str
    files: list[Any]

    def here(self) -> Path:
        """The folder on this machine: itself where it can be seen, else a copy, made once for all that need it."""
        path = Path(self.path)
        if path.is_dir():
            return path
        copy = Path(gettempdir()) / f"{PREFIX}{self.digest[:16]}"
        if not copy.is_dir():
            self._unpack(copy)
        return copy

    def _unpack(self, copy: Path) -> None:
        """Complete or not at all: another process may be doing the same."""
        scratch = Path(mkdtemp(prefix=PREFIX))
        for name, content in ray.get(self.files[0]).items():
            (scratch / name).parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).write_bytes(content)
        try:
            scratch.rename(copy)
        except OSError:
            shutil.rmtree(scratch)
            if not copy.is_dir():
                raise


def travelling(folder: Path) -> TravellingFolder:
    """Put the files of a folder into the object store of the connected Ray."""
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return TravellingFolder(str(folder.resolve()), digest.hexdigest(), [ray.put(files)])
