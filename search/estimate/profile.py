"""`rarecall profile`: the data of an experiment as they are, and what its settings would do about the imbalance."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

import numpy as np

from rarecall.analysis.arrays import BoolArray, IntArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.profile.label_profile import (
    QUANTILES,
    ClassProfile,
    Duplicates,
    LabelsPerRow,
    Lengths,
    Mitigated,
    Profile,
)
from rarecall.search.engine.preparation.goals import check_goal
from rarecall.search.experiment.auto_space import derive_space, space_lines, with_space
from rarecall.search.experiment.schema import LoadedExperiment
from rarecall.trainables.config import TrainingConfig
from rarecall.trainables.data.encoding import UNCUT, tokenize
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.prepare import load_splits
from rarecall.trainables.data.prepared import LabelledSplits
from rarecall.trainables.data.prompts import fitted, text_tokens
from rarecall.trainables.data.split import group_ids, stratified_sample
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import load_processor
from rarecall.trainables.tasks import Task
from rarecall.trainables.training.mitigation import Mitigation, mitigation

# Of very many texts a stratified sample is measured.
MEASURED_TEXTS = 20_000
RATIOS, STRENGTHS = (0.2, 0.3, 1.0), (1.0, 0.5)
SHOWN_PAIRS = 5

Splits = Mapping[str, Examples]


def profile_of(loaded: LoadedExperiment) -> Profile:
    """Read the data of an experiment and describe them.

    Raises:
        InputError: as `load_splits`, or the base model cannot be found.
    """
    experiment = loaded.experiment
    data = load_splits(experiment, loaded.folder)
    check_goal(experiment, data)
    base = resolve_base(experiment.model.base, loaded.folder)
    processor = load_processor(base, experiment.model.max_length)
    splits = splits_of(data)
    texts = data.train.images is None
    return Profile(
        name=experiment.name,
        rows={name: len(split) for name, split in splits.items()},
        classes=_classes(data, experiment.training),
        duplicates=_duplicates(splits),
        lengths=tuple(_lengths(splits, experiment.model.max_length, processor, data.task)) if texts else (),
        max_length=experiment.model.max_length,
        slices=_slices(splits),
        scores=_scores(data),
        labels_per_row=_labels_per_row(data.train.labels, data.task.label_space),
        notes=(*data.notes, *_space(loaded, data)),
    )


def _space(loaded: LoadedExperiment, data: LabelledSplits) -> tuple[str, ...]:
    """What `space: auto` makes of the labels."""
    if not loaded.experiment.auto_space:
        return ()
    derived = derive_space(loaded.experiment, data.train, data.task.label_space)
    return tuple(space_lines(with_space(loaded, derived), derived.reasons))


def splits_of(data: LabelledSplits) -> dict[str, Examples]:
    """The splits there are, by name."""
    named = {"train": data.train, "validation": data.validation, "test": data.test}
    return {name: split for name, split in named.items() if split is not None}


def _classes(data: LabelledSplits, training: TrainingConfig) -> tuple[ClassProfile, ...]:
    labels = data.task.label_space
    amounts = {name: _amounts(data, settings) for name, settings in _mitigations(training).items()}
    return tuple(
        ClassProfile(
            name,
            name in labels.minority,
            {split: counts[name] for split, counts in data.class_counts.items()},
            {
                mitigation: Mitigated(float(one.sampled[i]), float(one.weights[i]), bool(one.capped[i]))
                for mitigation, one in amounts.items()
            },
        )
        for i, name in enumerate(labels.classes)
    )


def _amounts(data: LabelledSplits, training: TrainingConfig) -> Mitigation:
    train = data.train
    return mitigation(train.classes, data.task.label_space, training, train.scores, train.labels)


def _mitigations(training: TrainingConfig) -> dict[str, TrainingConfig]:
    """The experiment's own settings, and each of two mitigations alone, all else as it is by default."""
    cap = {"cap": training.class_weights.cap}
    return {
        "": training,
        **{f"strength {strength:g}": _with({"class_weights": {"strength": strength, **cap}}) for strength in STRENGTHS},
        **{f"ratio {ratio:g}": _with({"oversampling": {"ratio": ratio}}) for ratio in RATIOS},
    }


def _with(settings: dict[str, Any]) -> TrainingConfig:
    return TrainingConfig.model_validate(settings)


def _lengths(splits: Splits, longest: int, tokenizer: Any, task: Task) -> Iterator[Lengths]:
    texts = [text for split in splits.values() for text in _some(split)]
    yield Lengths("words", _quantiles(np.array([len(text.split()) for text in texts])))
    tokens = tokenize(tokenizer, texts, UNCUT).lengths
    room = text_tokens(fitted(task, tokenizer, longest), longest)
    yield Lengths("tokens", _quantiles(tokens), float((tokens > room).mean()))


def _some(split: Examples) -> tuple[str, ...]:
    if len(split) <= MEASURED_TEXTS:
        return split.texts
    return split.take(stratified_sample(split.classes, MEASURED_TEXTS, seed=0)).texts


def _quantiles(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(values, QUANTILES))


def _duplicates(splits: Splits) -> Duplicates:
    parts = list(splits.values())
    ids = group_ids([text for part in parts for text in part.texts], None)
    bounds = np.cumsum([len(part) for part in parts])[:-1]
    by_split = dict(zip(splits, np.split(ids, bounds), strict=True))
    within = {name: len(part) - len(np.unique(part)) for name, part in by_split.items()}
    across = {
        (one, other): int(np.isin(by_split[other], by_split[one]).sum()) for one, other in combinations(by_split, 2)
    }
    return Duplicates(within, across, _contradicting(ids, parts))


def _contradicting(ids: IntArray, parts: list[Examples]) -> int:
    """Texts with more than one class, or set of labels."""
    if parts[0].labels is not None:
        truth = np.concatenate([part.labels for part in parts if part.labels is not None])
        _, kinds = np.unique(truth, axis=0, return_inverse=True)
    else:
        kinds = np.concatenate([part.classes for part in parts])
    pairs = np.unique(np.column_stack([ids, kinds.reshape(-1)]), axis=0)
    return int((np.unique(pairs[:, 0], return_counts=True)[1] > 1).sum())


def _slices(splits: Splits) -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = {}
    for split, examples in splits.items():
        for column, values in examples.slices.items():
            for value, count in zip(*np.unique(values.astype(str), return_counts=True), strict=True):
                found.setdefault(column, {}).setdefault(str(value), {})[split] = int(count)
    return found


def _scores(data: LabelledSplits) -> dict[str, tuple[float, ...]]:
    scores = data.train.scores
    if scores is None:
        return {}
    return {name: _quantiles(scores[:, i]) for i, name in enumerate(data.task.label_space.dimensions)}


def _labels_per_row(truth: BoolArray | None, labels: LabelSpace) -> LabelsPerRow | None:
    if truth is None:
        return None
    per_row = truth.sum(axis=1)
    return LabelsPerRow(
        float(per_row.mean()), int((per_row == 0).sum()), _together(truth, labels), _broken(truth, labels)
    )


def _together(truth: BoolArray, labels: LabelSpace) -> tuple[tuple[str, str, int], ...]:
    """The pairs with most rows, without those that an implication puts together."""
    counts = truth.T.astype(np.int64) @ truth.astype(np.int64)
    implied = {frozenset(pair) for pair in labels.implications}
    pairs = [
        (one, other, int(counts[labels.classes.index(one), labels.classes.index(other)]))
        for one, other in combinations(labels.classes, 2)
        if frozenset((one, other)) not in implied
    ]
    return tuple(sorted((pair for pair in pairs if pair[2]), key=lambda pair: -pair[2])[:SHOWN_PAIRS])


def _broken(truth: BoolArray, labels: LabelSpace) -> dict[str, int]:
    """Training rows with a label but not one it implies, or with two that exclude each other."""
    columns = {name: truth[:, i] for i, name in enumerate(labels.classes)}
    rules = {f"{one} without {other}": columns[one] & ~columns[other] for one, other in labels.implications}
    rules |= {f"{one} with {other}": columns[one] & columns[other] for one, other in labels.exclusions}
    return {rule: int(rows.sum()) for rule, rows in rules.items() if rows.any()}
