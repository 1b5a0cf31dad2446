"""An experiment from whatever names it: a file, a mapping, an `Experiment`, with rows given in memory."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rarecall.search.experiment.frames import stored_rows
from rarecall.search.experiment.overrides import value_at
from rarecall.search.experiment.quick import scaled_down
from rarecall.search.experiment.schema import Experiment, LoadedExperiment, StorageConfig, experiment_from
from rarecall.search.experiment.yaml_file import read_extended
from rarecall.trainables.data.reading.locations import ROLES

Source = str | os.PathLike[str] | Mapping[str, Any] | Experiment


def open_experiment(
    source: Source,
    data: Any = None,
    overrides: Mapping[str, Any] | None = None,
    quick: bool = False,
    sample: int | None = None,
) -> LoadedExperiment:
    """Read and validate an experiment.

    source: a YAML file, or what one would hold; relative paths of the latter count from the working directory. data:
    rows in the place of the experiment's own, kept below its `storage.path`. overrides: values by dotted key, which
    have the last word. quick, sample: as `scaled_down` takes them.

    Raises:
        InputError: every fault at once, each with its key path.
    """
    tree, folder, name = _tree(source)
    given = dict(overrides or {})
    if data is not None:
        tree = _with_rows(tree, folder, data)
    loaded = experiment_from(tree, folder, given, name)
    smaller = scaled_down(loaded.experiment, quick, sample)
    return experiment_from(tree, folder, {**smaller, **given}, name) if smaller else loaded


def _tree(source: Source) -> tuple[dict[str, Any], Path, str]:
    """The mapping, the folder that its relative paths count from, and what its faults are about."""
    if isinstance(source, Experiment):
        return source.model_dump(mode="json", exclude_unset=True), Path.cwd(), source.name
    if isinstance(source, Mapping):
        return _plain(source), Path.cwd(), str(source.get("name", "experiment"))
    path = Path(source)
    return read_extended(path), path.resolve().parent, str(path)


def _plain(value: Any) -> Any:
    """What YAML can hold of what Python code writes: paths as texts, tuples as lists."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _with_rows(tree: Mapping[str, Any], folder: Path, data: Any) -> dict[str, Any]:
    """The tree with files of these rows for its data."""
    storage = value_at(tree, "storage.path") or StorageConfig().path
    files = {key.removeprefix("data."): path for key, path in stored_rows(data, folder / str(storage)).items()}
    section = tree.get("data")
    kept = {key: value for key, value in (section or {}).items() if key not in ("dataset", *ROLES)}
    return {**tree, "data": {**kept, **files}}
