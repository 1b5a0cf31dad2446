"""A user's own plugin, as `docs/extensions.md` shows one, and a process that forgets it after a test."""

import sys
from collections.abc import Iterator

import pytest

from rarecall.analysis.metrics import registry as metrics
from rarecall.analysis.plugins import loading, stored
from rarecall.losses import registry as losses
from rarecall.trainables.imbalance import sampling, schemes

# A loss, a metric, a weighting scheme and a sampler; each can be recognised in what it does.
PLUGIN = '''\
from dataclasses import dataclass

import numpy as np
import torch

from rarecall.analysis.metrics.means import ratio
from rarecall.analysis.metrics.registry import register as metric
from rarecall.analysis.metrics.widths import recall_width
from rarecall.losses import register as loss
from rarecall.trainables.imbalance.sampling import register as sampler
from rarecall.trainables.imbalance.schemes import register as scheme


@metric("specificity", "max", "share", selector="class", from_counts=True, margin=recall_width)
def specificity(tally):
    """Share of the rows of other classes that are not predicted as a class, [..., classes]."""
    negatives = tally.rows - tally.support
    return ratio(negatives - (tally.predicted - tally.hits), negatives, np.nan)


@loss("smoothed", target="classes")
@dataclass(frozen=True)
class Smoothed:
    """Cross-entropy against targets that leave `share` to all classes alike (Szegedy et al. 2016)."""

    share: float = 0.1

    def __post_init__(self):
        if not 0 <= self.share < 1:
            raise ValueError(f"the share must be from 0 to below 1, got {self.share!r}")

    def __call__(self, outputs, targets):
        return torch.nn.functional.cross_entropy(outputs, targets, label_smoothing=self.share, reduction="none")


@scheme("above_floor")
@dataclass(frozen=True)
class AboveFloor:
    """n_max / n_c, counts below `rows` taken as `rows`."""

    rows: float = 1.0

    def __call__(self, counts):
        return counts.max() / np.maximum(counts, self.rows)


@sampler("thinning")
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
'''


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch, tmp_path) -> Iterator[None]:
    """What plugins register in a test is gone after it, and none was remembered before it."""
    monkeypatch.setattr(metrics, "_REGISTRY", {**metrics._REGISTRY})
    for name in ("_losses", "_target_of", "_defaults"):
        monkeypatch.setattr(losses._registry, name, {**getattr(losses._registry, name)})
    monkeypatch.setattr(schemes, "_schemes", {**schemes._schemes})
    monkeypatch.setattr(sampling, "_samplers", {**sampling._samplers})
    monkeypatch.setattr(loading, "_loaded", {})
    monkeypatch.setattr(stored, "_from_folders", set())
    monkeypatch.setenv("RARECALL_CACHE", str(tmp_path / "memory"))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(("rarecall_plugin_", "my_project")):
            del sys.modules[name]
