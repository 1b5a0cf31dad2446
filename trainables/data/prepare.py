"""Everything that happens to the data once per experiment: read, split, checked against the task, encoded."""

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
from rarecall.trainables.data.dividing import divided
from rarecall.trainables.data.encoding import EncodedSplit
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.fingerprint import content_hash, file_hash
from rarecall.trainables.data.folds import trial_folds
from rarecall.trainables.data.prepared import LabelledSplits, PreparedData
from rarecall.trainables.data.prompts import encode_for, fitted
from rarecall.trainables.data.reading.cells import listed
from rarecall.trainables.data.reading.locations import data_files, label_names
from rarecall.trainables.data.reading.reader import Reading, first_faults, read_rows
from rarecall.trainables.data.split import group_ids, stratified_sample
from rarecall.trainables.models.quantization import check_installed
from rarecall.trainables.tasks import Task, build_task, default_minority
from rarecall.trainables.tasks.config import TaskConfig

SHOWN_ROWS, SHOWN_CLASSES = 5, 8
# Shares of tokens that a tokenizer does not know: of a file that lost its vocabulary, and of another language.
MOST_UNKNOWN, TOLD_UNKNOWN = 0.5, 0.05


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
    unknown = [] if trial.data.image is not None else _unknown_tokens(encoded_train, processor, trial.model.base)
    folds, seed = trial.data.folds, trial.data.split.seed
    return PreparedData(
        task=task,
        train=encoded_train,
        validation=encoded_validation,
        test=splits.test,
        pad_id=0 if trial.data.image is not None else int(processor.pad_token_id),
        data_hash=splits.data_hash,
        class_counts=splits.class_counts,
        notes=(*splits.notes, *unknown),
        skipped=splits.skipped,
        file_hash=splits.file_hash,
        folds=trial_folds(encoded_train, encoded_validation, folds, seed) if folds else (),
    )


def _unknown_tokens(train: EncodedSplit, tokenizer: Any, base: str) -> list[str]:
    """What the user should know of words that the tokenizer does not: all of them are one to the model.

    Raises:
        InputError: most of them are unknown, as to a tokenizer without its vocabulary.
    """
    unknown = getattr(tokenizer, "unk_token_id", None)
    others = ~np.isin(train.ids, [one for one in tokenizer.all_special_ids if one != unknown])
    share = float((train.ids[others] == unknown).mean()) if unknown is not None and others.any() else 0.0
    if share > MOST_UNKNOWN:
        rule = f"must have a tokenizer that knows more than {1 - MOST_UNKNOWN:.0%} of the tokens of the training texts"
        raise InputError(
            BASE, [Fault(BASE, rule, f"{1 - share:.0%} with {base!r}", "take a model of the texts' language")]
        )
    told = f"{share:.0%} of the tokens of the training texts are unknown to the tokenizer of {base}"
    return [told] if share > TOLD_UNKNOWN else []


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
    files = data_files(trial.data, base)
    reading = read_rows(files, trial.data, trial.task, label_names(trial.data, base))
    parts = _divided(reading, trial.data, tuple(files))
    made_here = "path" in files
    counts = {name: _class_counts(part, reading.classes) for name, part in parts.items()}
    task = _with_minority(trial.task, reading.classes, counts["train"])
    notes = [*reading.notes, *_notes(reading, parts, counts, trial.data, made_here)]
    notes += _check_validation(task, counts, trial.data, made_here)
    return LabelledSplits(
        task=task,
        train=parts["train"],
        validation=parts["validation"],
        test=parts.get("test"),
        data_hash=content_hash(reading, trial.data, trial.task),
        class_counts=counts,
        notes=tuple(notes),
        skipped=reading.skipped,
        file_hash=file_hash(files, trial.data, trial.task),
    )


def _divided(reading: Reading, data: DataConfig, roles: tuple[str, ...]) -> dict[str, Examples]:
    """Examples by split; `test` is left out where there is none."""
    examples = reading.examples
    parts = divided(reading, data.split, roles)
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


def _check_validation(
    task: Task, counts: Mapping[str, Mapping[str, int]], data: DataConfig, made_here: bool
) -> list[str]:
    """Without a row in validation, a class's recall is unknown, and no trial can be told from another by it.

    With folds every row of training is held out once: then classes that validation lacks are told, not refused.

    Raises:
        InputError: a minority class that no validation row has.
    """
    where, more = "data.split", "add rows of it with at least two different texts"
    if not made_here:
        where, more = "data.validation", "add rows of it to the validation file"
    lacking = [name for name in task.label_space.minority if counts["validation"][name] == 0]
    held_out = [name for name in lacking if data.folds and counts["train"][name]]
    faults = []
    for name in lacking:
        if name not in held_out:
            total = sum(count[name] for count in counts.values())
            rule = f"minority class {name!r} must have a row in validation"
            faults.append(Fault(where, rule, f"0 of its {total}", f"{more}, or leave it out of task.minority"))
    if faults:
        raise InputError(where, first_faults(faults))
    told = f"{len(held_out):,} minority classes have no row in validation and are judged by the folds alone"
    single = [name for name in held_out if counts["train"][name] == 1]
    alone = f"; with one training row no model that is judged by it has seen the class: {listed(single)}"
    return [told + (alone if single else "")] if held_out else []


def _notes(
    reading: Reading,
    parts: Mapping[str, Examples],
    counts: Mapping[str, Mapping[str, int]],
    data: DataConfig,
    made_here: bool,
) -> Iterator[str]:
    if reading.skipped:
        total = len(reading.examples) + reading.skipped_rows
        yield f"skipped {reading.skipped_rows:,} of {total:,} rows that cannot be used (data.on_bad_row)"
        yield from (f"skipped {fault}" for fault in first_faults(reading.skipped))
    yield from _absent_classes(reading.classes, counts)
    if not made_here or data.split.column or data.split.time:
        what = "texts" if data.image is None else "images"
        for one, other in combinations(parts, 2):
            yield from _shared_texts(one, parts[one], other, parts[other], what)
            yield from _shared_groups(one, parts[one], other, parts[other], data.split.group)


def _absent_classes(classes: tuple[str, ...], counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    absent = [name for name in classes if 0 in (count[name] for count in counts.values())]
    for name in absent[:SHOWN_CLASSES]:
        rows = {split: count[name] for split, count in counts.items()}
        told = ", ".join(f"{split} {count}" for split, count in rows.items())
        yield f"class {name!r} (rows: {sum(rows.values()):,}) is not in every split: {told}"
    if len(absent) > SHOWN_CLASSES:
        yield f"{len(absent) - SHOWN_CLASSES:,} more classes are not in every split"


def _shared_texts(one: str, first: Examples, other: str, second: Examples, what: str) -> Iterator[str]:
    ids = group_ids([*first.texts, *second.texts], None)
    shared, _, places = np.intersect1d(ids[: len(first)], ids[len(first) :], return_indices=True)
    if len(shared):
        rows = ", ".join(map(str, np.sort(second.rows[places])[:SHOWN_ROWS]))
        more = ", …" if len(shared) > SHOWN_ROWS else ""
        yield f"{len(shared):,} {what} of {other} stand in {one} too (rows {rows}{more} of all usable rows, from 0)"


def _shared_groups(one: str, first: Examples, other: str, second: Examples, column: str | None) -> Iterator[str]:
    """Groups on both sides of given files, of which a split made here would have none."""
    shared = sorted((set(first.groups or ()) & set(second.groups or ())) - {""})
    if shared:
        rows = sum(group in set(shared) for group in second.groups or ())
        told = f"{len(shared):,} groups ({column}) of {other} are in {one} too"
        yield f"{told}, with {rows:,} of its rows: {listed(shared)}"
