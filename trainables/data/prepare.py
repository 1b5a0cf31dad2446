"""Everything that happens to the data once per experiment: read, split, checked against the task, encoded."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.settings import BASE, MAX_TRAIN_ROWS
from rarecall.trainables.config import DataConfig, TrialConfig
from rarecall.trainables.data.cells import listed
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.folds import trial_folds
from rarecall.trainables.data.prepared import LabelledSplits, PreparedData
from rarecall.trainables.data.prompts import encode_for, fitted
from rarecall.trainables.data.reader import Reading, first_faults, read_rows
from rarecall.trainables.data.split import group_ids, split, stratified_sample
from rarecall.trainables.models.quantization import check_installed
from rarecall.trainables.tasks import Task, build_task, default_minority
from rarecall.trainables.tasks.config import TaskConfig

ROLES = ("path", "train", "validation", "test")
SHOWN_ROWS = 5


def prepare(trial: TrialConfig, processor: Any, *, base: Path) -> PreparedData:
    """Read, split, check and encode the data; relative paths count from the folder `base`.

    processor: the base model's tokenizer, or its image processor where `data.image` names a column.

    Raises:
        InputError: as `load_splits` and `prompts.fitted`, what the settings need is not installed, the tokenizer cannot
            pad, the base model takes something else than the data, or the training rows do not make so many folds.
    """
    check_installed(trial)
    _check_processor(processor, trial)
    splits = load_splits(trial, base)
    task = fitted(splits.task, processor, trial.model.max_length)
    train, validation = splits.train, splits.validation
    together = group_ids([*train.texts, *validation.texts], _groups(train, validation))
    encoded = (encode_for(task, processor, part, trial.model.max_length) for part in (train, validation))
    parts = zip(encoded, np.split(together, [len(train)]), strict=True)
    encoded_train, encoded_validation = (replace(part, groups=groups) for part, groups in parts)
    folds, seed = trial.data.folds, trial.data.split.seed
    return PreparedData(
        task=task,
        train=encoded_train,
        validation=encoded_validation,
        test=splits.test,
        pad_id=0 if trial.data.image is not None else int(processor.pad_token_id),
        data_hash=splits.data_hash,
        class_counts=splits.class_counts,
        notes=splits.notes,
        skipped=splits.skipped,
        folds=trial_folds(encoded_train, encoded_validation, folds, seed) if folds else (),
    )


def _groups(train: Examples, validation: Examples) -> list[str] | None:
    return [*train.groups, *validation.groups] if train.groups is not None and validation.groups is not None else None


def _check_processor(processor: Any, trial: TrialConfig) -> None:
    images, rule = hasattr(processor, "image_mean"), ""
    if images and trial.data.image is None:
        rule = "must be a model of texts, or data.image name the column with the images"
    elif not images and trial.data.image is not None:
        rule = "must be a model of images, since data.image names a column"
    elif not images and processor.pad_token_id is None:
        raise InputError(BASE, [Fault(BASE, "must have a tokenizer with a padding token", "none")])
    if rule:
        raise InputError(BASE, [Fault(BASE, rule, repr(trial.model.base))])


def load_splits(trial: TrialConfig, base: Path) -> LabelledSplits:
    """Read, split and check the data; relative paths count from the folder `base`.

    Raises:
        InputError: files or rows cannot be used, the task does not fit the classes found, or a minority class has no
            row in validation.
    """
    paths = data_paths(trial, base)
    reading = read_rows(paths, trial.data, trial.task)
    parts = _divided(reading, trial.data, tuple(paths))
    counts = {name: _class_counts(part, reading.classes) for name, part in parts.items()}
    task = _with_minority(trial.task, reading.classes, counts["train"])
    _check_validation(task, counts, trial.data)
    return LabelledSplits(
        task=task,
        train=parts["train"],
        validation=parts["validation"],
        test=parts.get("test"),
        data_hash=_data_hash(paths, trial),
        class_counts=counts,
        notes=tuple(_notes(reading, parts, counts, trial.data)),
        skipped=reading.skipped,
    )


def data_hash(trial: TrialConfig, base: Path) -> str:
    """What `load_splits` would give as the hash, without reading rows.

    Raises:
        OSError: a file cannot be read.
    """
    return _data_hash(data_paths(trial, base), trial)


def data_paths(trial: TrialConfig, base: Path) -> dict[str, Path]:
    """The data files by role, those that are given; relative ones count from `base`."""
    return {role: base / path for role in ROLES if (path := getattr(trial.data, role)) is not None}


def _divided(reading: Reading, data: DataConfig, roles: tuple[str, ...]) -> dict[str, Examples]:
    """Examples by split; `test` is left out where there is none."""
    examples = reading.examples
    if data.path is None:
        parts = {role: np.flatnonzero(reading.files == i) for i, role in enumerate(roles)}
    else:
        made = split(examples, data.split.validation, data.split.test, data.split.seed)
        parts = {"train": made.train, "validation": made.validation}
        if data.split.test > 0:
            parts["test"] = made.test
    if data.max_train_rows is not None:
        parts["train"] = _sampled(examples, parts["train"], data.max_train_rows, data.split.seed)
    return {name: examples.take(index) for name, index in parts.items()}


def _sampled(examples: Examples, train: IntArray, limit: int, seed: int) -> IntArray:
    try:
        return train[stratified_sample(examples.classes[train], limit, seed)]
    except ValueError as error:
        raise InputError(MAX_TRAIN_ROWS, [Fault(MAX_TRAIN_ROWS, str(error))]) from error


def _class_counts(examples: Examples, classes: tuple[str, ...]) -> dict[str, int]:
    return dict(zip(classes, examples.class_rows(len(classes)).tolist(), strict=True))


def _with_minority(config: TaskConfig, classes: tuple[str, ...], train_counts: Mapping[str, int]) -> Task:
    task = build_task(config, classes)
    if config.minority is None:
        return task.with_minority(default_minority(classes, np.array(list(train_counts.values()))))
    unknown = [name for name in config.minority if name not in classes]
    if unknown or len(set(config.minority)) == len(classes):
        rule = f"must name some, but not all, of the classes in the training data, {listed(classes)}"
        raise InputError("task.minority", [Fault("task.minority", rule, listed(unknown or config.minority))])
    return task


def _check_validation(task: Task, counts: Mapping[str, Mapping[str, int]], data: DataConfig) -> None:
    """Without a row in validation, a class's recall is unknown, and no trial can be told from another by it."""
    where, more = "data.split", "add rows of it with at least two different texts"
    if data.path is None:
        where, more = "data.validation", "add rows of it to the validation file"
    faults = []
    for name in task.label_space.minority:
        if counts["validation"][name] == 0:
            total = sum(count[name] for count in counts.values())
            rule = f"minority class {name!r} must have a row in validation"
            faults.append(Fault(where, rule, f"0 of its {total}", f"{more}, or leave it out of task.minority"))
    if faults:
        raise InputError(where, first_faults(faults))


def _notes(
    reading: Reading, parts: Mapping[str, Examples], counts: Mapping[str, Mapping[str, int]], data: DataConfig
) -> Iterator[str]:
    if reading.skipped:
        total = len(reading.examples) + reading.skipped_rows
        yield f"skipped {reading.skipped_rows:,} of {total:,} rows that cannot be used (data.on_bad_row)"
        yield from (f"skipped {fault}" for fault in first_faults(reading.skipped))
    yield from _absent_classes(reading.classes, counts)
    if data.path is None:
        what = "texts" if data.image is None else "images"
        for one, other in combinations(parts, 2):
            yield from _shared_texts(one, parts[one], other, parts[other], what)


def _absent_classes(classes: tuple[str, ...], counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for name in classes:
        rows = {split: count[name] for split, count in counts.items()}
        if 0 in rows.values():
            told = ", ".join(f"{split} {count}" for split, count in rows.items())
            yield f"class {name!r} (rows: {sum(rows.values()):,}) is not in every split: {told}"


def _shared_texts(one: str, first: Examples, other: str, second: Examples, what: str) -> Iterator[str]:
    ids = group_ids([*first.texts, *second.texts], None)
    shared, _, places = np.intersect1d(ids[: len(first)], ids[len(first) :], return_indices=True)
    if len(shared):
        rows = ", ".join(map(str, np.sort(second.rows[places])[:SHOWN_ROWS]))
        more = ", …" if len(shared) > SHOWN_ROWS else ""
        yield f"{len(shared):,} {what} of {other} stand in {one} too (rows {rows}{more} of all usable rows, from 0)"


def _data_hash(paths: Mapping[str, Path], trial: TrialConfig) -> str:
    """SHA-256 over the files' contents and the sections `data` and `task`; where the files lie does not matter."""
    digest = hashlib.sha256()
    for role, path in paths.items():
        with path.open("rb") as file:
            digest.update(f"{role} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    # Without what was left at its default, so that keys of a later version leave the hash as it is.
    data = trial.data.model_dump(mode="json", exclude=set(ROLES), exclude_defaults=True)
    digest.update(json.dumps([data, trial.task.model_dump(mode="json", exclude_defaults=True)]).encode())
    return digest.hexdigest()
