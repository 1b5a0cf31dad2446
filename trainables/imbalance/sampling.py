"""Sampling: which rows make up an epoch when rare classes are to be seen more often.

A sampler is a frozen dataclass with `@register(name)` beside it; `name` is its section below `training`, and its fields
are that section's keys. Samplers act one after another, in the order they are registered in, each on the rows that the
one before it left. At their defaults they change nothing. They know nothing of workers: all get the same rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.losses.parameters import defaults, parameter_faults, require_parameters_with_defaults


class Sampler(Protocol):
    """One way to change how often classes are seen. Rows of one class are equally likely."""

    def draw(self, classes: IntArray, minority: Sequence[int], seed: int, epoch: int) -> IntArray:
        """Indices [m] into `classes` [n] for one epoch, not shuffled; they depend on (seed, epoch)."""

    def expected(self, counts: FloatArray, minority: Sequence[int]) -> FloatArray:
        """Rows of each class in an epoch, in the mean, from those there are [k]."""


SamplerClass = TypeVar("SamplerClass", bound=Callable[..., Sampler])
_samplers: dict[str, Callable[..., Sampler]] = {}


def register(name: str) -> Callable[[SamplerClass], SamplerClass]:
    """Decorator for a frozen dataclass that becomes the sampler `name`, with a section of that name below `training`.

    Its fields, numbers with a default each, are the keys of the section; at the defaults it must change nothing.

    Raises:
        TypeError: the class is not such a dataclass.
        ValueError: the name is taken.
    """
    if name in _samplers:
        raise ValueError(f"samplers must have unique names, got {name!r} twice")

    def add(sampler: SamplerClass) -> SamplerClass:
        require_parameters_with_defaults("sampler", sampler)
        _samplers[name] = sampler
        return sampler

    return add


def names() -> tuple[str, ...]:
    """The samplers, in the order they act in."""
    return tuple(_samplers)


def parameters(name: str) -> dict[str, float]:
    """The parameters of a sampler that exists, with their defaults."""
    return defaults(_samplers[name])


def faults(name: str, given: Mapping[str, object]) -> dict[str, str]:
    """What is wrong with each of the parameters of a sampler that exists."""
    return parameter_faults(_samplers[name], given)


def build(given: Mapping[str, Mapping[str, Any]]) -> tuple[Sampler, ...]:
    """All samplers in their order; given: parameters by sampler name, defaults where there are none.

    Raises:
        ValueError: a parameter outside its range.
    """
    return tuple(sampler(**given.get(name, {})) for name, sampler in _samplers.items())


def sample(samplers: Sequence[Sampler], classes: IntArray, minority: Sequence[int], seed: int, epoch: int) -> IntArray:
    """Indices [m] into `classes` [n] that make up an epoch after all samplers, not shuffled."""
    rows = np.arange(len(classes))
    for sampler in samplers:
        rows = rows[sampler.draw(classes[rows], minority, seed, epoch)]
    return rows


def expected_counts(samplers: Sequence[Sampler], counts: FloatArray, minority: Sequence[int]) -> FloatArray:
    """Rows of each class [k] in an epoch after all samplers, in the mean over epochs and seeds."""
    for sampler in samplers:
        counts = sampler.expected(counts, minority)
    return counts


@register("oversampling")
@dataclass(frozen=True)
class Oversampling:
    """Every row once, and rows of minority classes again: see `oversample`."""

    ratio: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.ratio <= 1:
            raise ValueError(f"the oversampling ratio must be from 0 to 1, got {self.ratio!r}")

    def draw(self, classes: IntArray, minority: Sequence[int], seed: int, epoch: int) -> IntArray:
        return oversample(classes, minority, self.ratio, seed, epoch)

    def expected(self, counts: FloatArray, minority: Sequence[int]) -> FloatArray:
        repeated = np.isin(np.arange(len(counts)), minority) & (counts > 0)
        return np.where(repeated, np.maximum(counts, _target(counts, self.ratio)), counts)


@register("weighted_sampling")
@dataclass(frozen=True)
class WeightedSampling:
    """As many rows as there are, drawn with replacement, each with probability in proportion to n_c ** -strength.

    n_c are the rows of its class, among those given. Strength 0 draws nothing and leaves every row once, 1 is the
    inverse frequency, with which all classes come equally often. Drawing leaves out some rows of an epoch, others in
    each. A class is drawn by its probability and then a row of it, which is the same and takes no table of all rows.

    900 and 100 rows at strength 0.5: 900 / √900 = 30 and 100 / √100 = 10, so 3/4 and 1/4 of 1000:

    >>> WeightedSampling(strength=0.5).expected(np.array([900.0, 100.0]), minority=[1])
    array([750., 250.])
    """

    strength: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"the strength of weighted sampling must be from 0 to 1, got {self.strength!r}")

    def draw(self, classes: IntArray, minority: Sequence[int], seed: int, epoch: int) -> IntArray:
        if self.strength == 0:
            return np.arange(len(classes))
        # A stream of its own: oversampling draws from (seed, epoch), and the batches from (seed, epoch, 1).
        generator = np.random.default_rng((seed, epoch, 2))
        counts = np.bincount(classes)
        drawn = generator.multinomial(len(classes), self._shares(counts.astype(np.float64)))
        by_class = np.split(np.argsort(classes, kind="stable"), np.cumsum(counts)[:-1])
        parts = [rows[generator.integers(len(rows), size=m)] for rows, m in zip(by_class, drawn, strict=True) if m]
        return np.concatenate(parts)

    def expected(self, counts: FloatArray, minority: Sequence[int]) -> FloatArray:
        if self.strength == 0:
            return counts
        return np.asarray(counts.sum() * self._shares(counts))

    def _shares(self, counts: FloatArray) -> FloatArray:
        mass = np.where(counts > 0, counts ** (1 - self.strength), 0.0)
        return np.asarray(mass / mass.sum())


def oversample(classes: IntArray, minority: Sequence[int], ratio: float, seed: int, epoch: int) -> IntArray:
    """Indices [m] into `classes` [n] for one epoch, not shuffled: every row once, rows of minority classes repeated.

    Each class in `minority` is repeated until it holds floor(ratio · n_max) rows, n_max being the count of the largest
    class; one that holds more already, or none at all, stays as it is. Repeats are whole passes over the class and a
    random remainder without replacement, so that the rows of a class differ by at most one in how often they come.
    The remainder depends on (seed, epoch).

    Of 10 and 3 rows, with ratio 0.5, the 3 become floor(0.5 · 10) = 5:

    >>> classes = np.array([0] * 10 + [1] * 3)
    >>> np.bincount(classes[oversample(classes, minority=[1], ratio=0.5, seed=0, epoch=1)])
    array([10,  5])

    Raises:
        ValueError: the ratio is outside 0 to 1, or seed or epoch is negative.
    """
    if not 0 <= ratio <= 1:
        raise ValueError(f"the oversampling ratio must be from 0 to 1, got {ratio!r}")
    generator = np.random.default_rng((seed, epoch))
    target = _target(np.bincount(classes, minlength=1), ratio)
    repeats = [_repeats(np.flatnonzero(classes == name), target, generator) for name in sorted(set(minority))]
    return np.concatenate([np.arange(len(classes)), *repeats])


def _target(counts: IntArray | FloatArray, ratio: float) -> int:
    # 0.29 · 100 is 28.999… in floating point, and the floor of that would be one row short.
    return int(np.floor(np.round(ratio * counts.max(), 9)))


def _repeats(rows: IntArray, target: int, generator: np.random.Generator) -> IntArray:
    """What must be added to `rows` to have `target` of them."""
    if len(rows) == 0 or len(rows) >= target:
        return rows[:0]
    passes, remainder = divmod(target - len(rows), len(rows))
    return np.concatenate([np.tile(rows, passes), generator.choice(rows, remainder, replace=False)])
