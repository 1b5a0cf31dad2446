"""Where the files of an experiment lie: paths, patterns such as `part-*.jsonl`, URIs, and datasets by name."""

import glob
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.predictions.label_names import label_of
from rarecall.trainables.config import DataConfig
from rarecall.trainables.data.reading.fetching import fetched, saved_splits

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


def label_names(data: DataConfig, base: Path) -> dict[str, str]:
    """Names by the numbers that stand for them in the data, from 0; empty without `data.label_names`.

    The file has a name on each line, or is JSON: a list, or an object of names by number.

    Raises:
        InputError: no such file, or something else in it.
    """
    if data.label_names is None:
        return {}
    where, path = "data.label_names", base / data.label_names
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = json.loads(text) if path.suffix == ".json" else [line for line in text.splitlines() if line.strip()]
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(where, [Fault(where, "must be a file of names, one a line, or JSON", str(error))]) from None
    pairs = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    names = {label_of(key): label_of(name) for key, name in pairs}
    if not names or not all(names.values()):
        raise InputError(
            where, [Fault(where, "must hold a name for each number, a list or an object of texts", str(path))]
        )
    return names


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
    # Below the base, whose own name may hold brackets.
    return [base / one for one in sorted(glob.glob(name, root_dir=base, recursive=True))]


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

    absolutely = {key: absolute(value) if key in (*ROLES, "label_names") else value for key, value in data.items()}
    local = base / str(data.get("dataset") or "")
    return absolutely | ({"dataset": str(local.resolve())} if data.get("dataset") and local.is_dir() else {})
