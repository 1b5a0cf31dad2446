"""A user's own plugin, as `docs/extensions.md` shows one, and a process that forgets it after a test."""

import random
import sys
from collections.abc import Iterator

import pytest

from rarecall.analysis.metrics import registry as metrics
from rarecall.analysis.plugins import loading, stored
from rarecall.losses import registry as losses
from rarecall.trainables.imbalance import sampling, schemes
from rarecall.trainables.tasks import registry as tasks

# A loss, a metric, a weighting scheme, a sampler and a kind of task; each can be recognised in what it does.
PLUGIN = '''\
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch

from rarecall import register_loss, register_metric, register_sampler, register_task, register_weighting
from rarecall.analysis.metrics.means import ratio
from rarecall.analysis.metrics.widths import recall_width
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.trainables.data.reading.cells import number_of
from rarecall.trainables.tasks import Multiclass, TaskSection
from rarecall.trainables.tasks.reading import Truth


@register_metric("negative_recall", "max", "share", selector="class", from_counts=True, margin=recall_width)
def negative_recall(tally):
    """Share of the rows of other classes that are not predicted as a class, [..., classes]."""
    negatives = tally.rows - tally.support
    return ratio(negatives - (tally.predicted - tally.hits), negatives, np.nan)


@register_loss("smoothed", target="classes")
@dataclass(frozen=True)
class Smoothed:
    """Cross-entropy against targets that leave `share` to all classes alike (Szegedy et al. 2016)."""

    share: float = 0.1

    def __post_init__(self):
        if not 0 <= self.share < 1:
            raise ValueError(f"the share must be from 0 to below 1, got {self.share!r}")

    def __call__(self, outputs, targets):
        return torch.nn.functional.cross_entropy(outputs, targets, label_smoothing=self.share, reduction="none")


@register_weighting("above_floor")
@dataclass(frozen=True)
class AboveFloor:
    """n_max / n_c, counts below `rows` taken as `rows`."""

    rows: float = 1.0

    def __call__(self, counts):
        return counts.max() / np.maximum(counts, self.rows)


@register_sampler("thinning")
@dataclass(frozen=True)
class Thinning:
    """The majority is thinned to the share `keep` of its rows."""

    keep: float = 1.0

    def __post_init__(self):
        if not 0 < self.keep <= 1:
            raise ValueError(f"keep must be above 0 and at most 1, got {self.keep!r}")

    def draw(self, classes, minority, seed, epoch):
        generator = np.random.default_rng((seed, epoch, 3))
        rows = np.arange(len(classes))
        majority = rows[~np.isin(classes, minority)]
        kept = generator.choice(majority, round(self.keep * len(majority)), replace=False)
        return np.sort(np.concatenate([rows[np.isin(classes, minority)], kept]))

    def expected(self, counts, minority):
        return np.where(np.isin(np.arange(len(counts)), minority), counts, self.keep * counts)


@dataclass(frozen=True)
class Bands:
    """A number in `column`, at least `cut` or below it."""

    column: str
    cut: float
    several: bool = False

    @property
    def columns(self):
        return (self.column,)

    def read(self, columns, refuse):
        numbers = [number_of(cell) for cell in columns[self.column]]
        for position in np.flatnonzero(np.isnan(numbers)).tolist():
            refuse(position, f"column {self.column!r} must hold a number", repr(columns[self.column][position]), "")
        return Truth([("high",) if number >= self.cut else ("low",) for number in numbers])


@dataclass(frozen=True)
class Banded(Multiclass):
    """Two bands; a row is high where its probability of that is at least `threshold`."""

    threshold: float = 0.5
    kind: str = "banded"

    def predictions(self, outputs, truth):
        found = super().predictions(outputs, truth)
        return replace(found, predicted_class=(found.probabilities[:, 1] >= self.threshold).astype(np.int64))

    @property
    def rule(self):
        return (self.threshold,)

    def with_rule(self, rule):
        return replace(self, threshold=rule[0])

    def rule_candidates(self, position, outputs):
        return (0.05, 0.2, 0.35, 0.65)

    def decision_rule(self):
        return {"kind": self.kind, "classes": list(self.label_space.classes), "threshold": self.threshold}

    def stored_rule(self, stored):
        return (stored["threshold"],)

    def deciding_lines(self):
        return 'labels = ["high" if p >= rule["threshold"] else "low" for p in outputs.softmax(dim=1)[:, 1].tolist()]'


@register_task("banded")
class BandedConfig(TaskSection):
    """A number is cut in two bands, low and high."""

    reads_label: ClassVar[bool] = False

    kind: Literal["banded"]
    column: str
    cut: float = 5.0
    minority: tuple[str, ...] | None = None

    @property
    def names(self):
        return ("low", "high")

    def task(self, classes):
        return Banded(LabelSpace(self.names, self.minority or (), ordered=True))

    def reading(self, label, separator):
        return Bands(self.column, self.cut)
'''


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[None]:
    """What plugins register in a test is gone after it, and none was remembered before it."""
    monkeypatch.setattr(metrics, "_REGISTRY", {**metrics._REGISTRY})
    for name in ("_losses", "_target_of", "_defaults"):
        monkeypatch.setattr(losses._registry, name, {**getattr(losses._registry, name)})
    monkeypatch.setattr(schemes, "_schemes", {**schemes._schemes})
    monkeypatch.setattr(sampling, "_samplers", {**sampling._samplers})
    monkeypatch.setattr(tasks, "_sections", {**tasks._sections})
    monkeypatch.setattr(loading, "_loaded", {})
    monkeypatch.setattr(stored, "_from_folders", set())
    monkeypatch.setenv("RARECALL_CACHE", str(tmp_path / "memory"))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("rarecall_plugin_", "my_project")):
            del sys.modules[name]


# A search that uses every part of the plugin, kept beside it as own-parts.py.
EXPERIMENT = {
    "name": "own",
    "plugins": "./own-parts.py",
    "data": {"path": "rows.jsonl", "split": {"validation": 0.3, "test": 0.2}},
    "task": {"kind": "banded", "column": "severity", "cut": 7},
    "model": {"base": "tiny-bert", "max_length": 16},
    "training": {
        "epochs": 2,
        "learning_rate": 5e-3,
        "loss": {"name": "smoothed", "share": 0.2},
        "class_weights": {"scheme": "above_floor", "rows": 2},
        "thinning": {"keep": 0.8},
        "decision_rule": {"fit": True, "folds": 2},
    },
    "space": {
        "training.loss.share": {"low": 0.0, "high": 0.3},
        "training.class_weights.rows": {"low": 1.0, "high": 8.0},
        "training.thinning.keep": {"low": 0.5, "high": 1.0},
        "training.learning_rate": None,
        "training.oversampling.ratio": None,
        "model.lora.rank": None,
    },
    "criteria": ["negative_recall[high] >= 0.05"],
    "search": {"trials": 2, "known_points": False},
    "resources": {"slots": 1},
}


def severity_rows():
    """100 messages, one in five severe."""
    draw = random.Random(3)
    kinds = [("engine on fire", 9) if i % 5 == 0 else ("all calm", 2) for i in range(100)]
    return [{"text": f"{text} {draw.random():.3f}", "severity": severity} for text, severity in kinds]
