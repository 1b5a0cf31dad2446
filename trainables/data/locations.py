"""Where the files of an experiment lie: paths, patterns such as `part-*.jsonl`, URIs, and datasets by name."""

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path

from rarecall.analysis.errors import Fault, InputError
from rarecall.trainables.config import DataConfig
from rarecall.trainables.data.fetching import fetched, saved_splits

ROLES = ("path", "train", "validation", "test")
_PATTERN = frozenset("*?[")


def data_files(data: DataConfig, base: Path) -> dict[str, tuple[Path, ...]]:
    """The data files by role, those that are given; relative ones count from `base`, patterns give theirs sorted.

    What a URI names, and a dataset, is fetched into the cache folder first.

    Raises:
        InputError: a pattern that no file has, or something that cannot be fetched.
    """
    if data.dataset is not None:
        return _of_dataset(data.dataset, base)
    found: dict[str, tuple[Path, ...]] = {}
    faults: list[Fault] = []
    for role in ROLES:
        given: str | Sequence[str] | None = getattr(data, role)
        names = () if given is None else (given,) if isinstance(given, str) else given
        parts = {name: _expanded(base, name) for name in names}
        empty = [name for name, part in parts.items() if not part]
        faults += [Fault(f"data.{role}", "must be a pattern that files have", repr(name)) for name in empty]
        if names:
            found[role] = tuple(path for part in parts.values() for path in part)
    if faults:
        raise InputError("data", faults)
    return found


def is_uri(name: str) -> bool:
    """Whether a name is of something that fsspec fetches.

    >>> is_uri("s3://bucket/rows.csv"), is_uri("data/rows.csv")
    (True, False)
    """
    return "://" in name


def _expanded(base: Path, name: str) -> list[Path]:
    if is_uri(name):
        return [fetched(name)]
    path = base / name
    if not _PATTERN & set(name) or path.exists():
        return [path]
    return [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]


def _of_dataset(name: str, base: Path) -> dict[str, tuple[Path, ...]]:
    """Train with validation and test as far as there are any; one split alone is divided here."""
    local = base / name
    splits = saved_splits(str(local.resolve()) if local.is_dir() else name)
    known: dict[str, tuple[Path, ...]] = {role: (splits[role],) for role in ROLES[1:] if role in splits}
    if "train" not in known:
        raise InputError(
            "data.dataset", [Fault("data.dataset", "must have a split `train`", ", ".join(splits) or "none")]
        )
    return known if len(known) > 1 else {"path": known["train"]}


def resolved(data: Mapping[str, object], base: Path) -> dict[str, object]:
    """The section with paths that hold from anywhere."""

    def absolute(name: object) -> object:
        if isinstance(name, list | tuple):
            return [absolute(one) for one in name]
        return name if not name or is_uri(str(name)) else str((base / str(name)).resolve())

    absolutely = {key: absolute(value) if key in ROLES else value for key, value in data.items()}
    local = base / str(data.get("dataset") or "")
    return absolutely | ({"dataset": str(local.resolve())} if data.get("dataset") and local.is_dir() else {})
