"""What tells one set of data from another: what was read and how it is divided, not the files it was read from."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from rarecall.trainables.config import DataConfig
from rarecall.trainables.data.reading.locations import ROLES
from rarecall.trainables.data.reading.reader import Reading
from rarecall.trainables.tasks.config import TaskConfig

# How a file is written does not change what is in it.
READING_KEYS = {"dataset", "label_names", "format", "delimiter", "encoding", "quoting", "columns", "on_bad_row"}
_BETWEEN = "\x1f"


def content_hash(reading: Reading, data: DataConfig, task: TaskConfig) -> str:
    """SHA-256 over the usable rows in their order, and the sections `data` and `task`.

    The same rows in files of another format give the same hash.
    """
    examples, digest = reading.examples, hashlib.sha256()
    digest.update(
        json.dumps(
            [list(reading.classes), reading.roles.tolist() if len(set(reading.roles.tolist())) > 1 else 0]
        ).encode()
    )
    for texts in (examples.texts, examples.groups or (), *(examples.slices[name] for name in sorted(examples.slices))):
        _add(digest, texts)
    truth = (reading.parts, reading.times, examples.classes, examples.scores, examples.labels)
    for array in truth:
        digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    digest.update(_sections(data, task, set(ROLES) | READING_KEYS))
    return digest.hexdigest()


def file_hash(files: Mapping[str, Sequence[Path]], data: DataConfig, task: TaskConfig) -> str:
    """SHA-256 over the files' contents and both sections, as ledgers had it until 0.1; "" where there are folders."""
    digest = hashlib.sha256()
    if not all(len(paths) == 1 and paths[0].is_file() for paths in files.values()):
        return ""
    for role, (path,) in files.items():
        with path.open("rb") as file:
            digest.update(f"{role} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    digest.update(_sections(data, task, set(ROLES)))
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", texts: Iterable[object]) -> None:
    """Texts one by one, so that none runs into the next."""
    for text in texts:
        encoded = str(text).encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "little"))
        digest.update(encoded)
    digest.update(_BETWEEN.encode())


def _sections(data: DataConfig, task: TaskConfig, without: set[str]) -> bytes:
    """Without what was left at its default, so that keys of a later version leave the hash as it is."""
    plain = data.model_dump(mode="json", exclude=without, exclude_defaults=True)
    return json.dumps([plain, task.model_dump(mode="json", exclude_defaults=True)]).encode()
