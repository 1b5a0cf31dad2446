"""Where the files of an experiment lie: paths, patterns such as `part-*.jsonl`, and several of them."""

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path

from rarecall.analysis.errors import Fault, InputError
from rarecall.trainables.config import DataConfig

ROLES = ("path", "train", "validation", "test")
_PATTERN = frozenset("*?[")


def data_files(data: DataConfig, base: Path) -> dict[str, tuple[Path, ...]]:
    """The data files by role, those that are given; relative ones count from `base`, patterns give theirs sorted.

    Raises:
        InputError: a pattern that no file has.
    """
    given: dict[str, str | Sequence[str] | None] = {role: getattr(data, role) for role in ROLES}
    found: dict[str, tuple[Path, ...]] = {}
    faults: list[Fault] = []
    for role, named in given.items():
        if named is not None:
            parts = [_expanded(base, name) for name in ([named] if isinstance(named, str) else named)]
            empty = [
                name for name, part in zip([named] if isinstance(named, str) else named, parts, strict=True) if not part
            ]
            faults += [Fault(f"data.{role}", "must be a pattern that files have", repr(name)) for name in empty]
            found[role] = tuple(path for part in parts for path in part)
    if faults:
        raise InputError("data", faults)
    return found


def _expanded(base: Path, name: str) -> list[Path]:
    path = base / name
    if not _PATTERN & set(name) or path.exists():
        return [path]
    return [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]


def resolved(data: Mapping[str, object], base: Path) -> dict[str, object]:
    """The section with paths that hold from anywhere."""

    def absolute(name: object) -> object:
        if isinstance(name, list | tuple):
            return [absolute(one) for one in name]
        return str((base / str(name)).resolve()) if name else name

    return {key: absolute(value) if key in ROLES else value for key, value in data.items()}
