"""Training, validation and test rows: stratified by class, with equal texts and equal groups kept together."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from rarecall.analysis.arrays import IntArray
from rarecall.trainables.data.examples import Examples

TRAIN, VALIDATION, TEST = range(3)
Parts = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Splits:
    """Ascending positions of the rows of each split; together every row once."""

    train: IntArray
    validation: IntArray
    test: IntArray


def split(examples: Examples, validation: float, test: float, seed: int) -> Splits:
    """Divide the examples into shares `validation`, `test` and the rest, each as rich in every class as the whole.

    Rows of equal text (but for white space around it) or of equal group stay together. A class with n rows gets
    `validation` · n of them in validation to the nearest row, as far as its groups allow. A class with enough groups
    is in every split; one with fewer is in training first, then in validation. A group counts for the rarest class
    among its rows.
    """
    ids = group_ids(examples.texts, examples.groups)
    parts = _assign(ids, examples.classes, (validation, test), seed)[ids]
    return Splits(*(np.flatnonzero(parts == part) for part in (TRAIN, VALIDATION, TEST)))


def group_ids(texts: Sequence[str], groups: Sequence[str] | None) -> IntArray:
    """Number [n] of what must stay together with each row: all that equal texts and equal non-empty groups connect.

    >>> group_ids(["a", "b", "a ", "c", "d"], ["x", "y", "", "y", ""])
    array([0, 1, 0, 1, 2])
    """
    of_text = _numbered([text.strip() for text in texts])
    if groups is None:
        return of_text
    grouped = np.flatnonzero([bool(group) for group in groups])
    count = int(of_text.max(initial=-1)) + 1
    of_group = count + _numbered([groups[i] for i in grouped.tolist()])
    nodes = int(of_group.max(initial=count - 1)) + 1
    edges = coo_array((np.ones(len(grouped), np.int8), (of_text[grouped], of_group)), shape=(nodes, nodes))
    _, component = connected_components(edges, directed=False)
    return np.asarray(component[of_text], dtype=np.int64)


def stratified_sample(classes: IntArray, limit: int, seed: int) -> IntArray:
    """Ascending positions of `limit` rows in the proportions of their classes [n], at least one of each class.

    Raises:
        ValueError: `limit` is below the number of classes that have rows.
    """
    if limit >= len(classes):
        return np.arange(len(classes), dtype=np.int64)
    counts = np.bincount(classes)
    taken = _sample_sizes(counts, limit)
    order = np.lexsort((np.random.default_rng(seed).permutation(len(classes)), classes))
    place_in_class = np.arange(len(classes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(order[place_in_class < np.repeat(taken, counts)])


def _sample_sizes(counts: IntArray, limit: int) -> IntArray:
    """Rows of each class [k] by largest remainder, and at least one where there is one."""
    present = np.flatnonzero(counts)
    if limit < len(present):
        raise ValueError(f"the sample must hold at least one row of each of the {len(present)} classes, got {limit}")
    quotas = counts * limit / counts.sum()
    sizes: IntArray = np.maximum(np.floor(quotas), counts > 0).astype(np.int64)
    while (excess := int(sizes.sum()) - limit) != 0:
        if excess < 0:
            sizes[np.argmax(quotas - sizes)] += 1
        else:
            sizes[np.argmax(np.where(sizes > 1, sizes - quotas, -np.inf))] -= 1
    return sizes


def _numbered(values: Sequence[str]) -> IntArray:
    codes: IntArray
    codes, _ = pd.factorize(np.array(values, dtype=object))
    return codes.astype(np.int64, copy=False)


def _assign(ids: IntArray, classes: IntArray, shares: tuple[float, float], seed: int) -> Parts:
    """The split of each group [groups]; the rarest class goes first, so that commoner ones can make up for its guests.

    A guest is a row of a commoner class in a group that counts for a rarer one.
    """
    counts = np.bincount(classes)
    rank = np.argsort(np.argsort(counts, kind="stable"), kind="stable")[classes]
    parts = np.zeros(int(ids.max(initial=-1)) + 1, dtype=np.int8)
    stratum = np.full(len(parts), len(counts))
    np.minimum.at(stratum, ids, rank)
    guests = np.flatnonzero(rank != stratum[ids])
    size = np.bincount(ids, minlength=len(parts)) - np.bincount(ids[guests], minlength=len(parts))
    order = np.lexsort((np.random.default_rng(seed).permutation(len(parts)), -size, stratum))
    bounds = np.searchsorted(stratum[order], np.arange(len(counts) + 1))
    placed = np.zeros((len(counts), 3), dtype=np.int64)
    for current in range(len(counts)):
        members = order[bounds[current] : bounds[current + 1]]
        parts[members] = _divide(size[members], placed[current], shares)
        rows = guests[stratum[ids[guests]] == current]
        np.add.at(placed, (rank[rows], parts[ids[rows]]), 1)
    return parts


def _divide(sizes: IntArray, placed: IntArray, shares: tuple[float, float]) -> Parts:
    """The split of each group of one class; sizes [m] descend, `placed` [3] rows of the class lie in splits already.

    The largest groups go first, and each size makes up for the rounding of those before.
    """
    parts = np.zeros(len(sizes), dtype=np.int8)
    if not len(sizes):
        return parts
    rows = placed.astype(np.float64)
    starts = np.flatnonzero(np.diff(sizes, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(sizes)], strict=True):
        size = int(sizes[start])
        total = rows.sum() + size * (end - start)
        free = start
        for part, share in zip((VALIDATION, TEST), shares, strict=True):
            wanted = int(np.clip(np.round((share * total - rows[part]) / size), 0, end - free))
            parts[free : free + wanted] = part
            rows[part] += size * wanted
            free += wanted
        rows[TRAIN] += size * (end - free)
    _fill_empty(parts, placed, [TRAIN, *(part for part in (VALIDATION, TEST) if shares[part - VALIDATION] > 0)])
    return parts


def _fill_empty(parts: Parts, placed: IntArray, wanted: Sequence[int]) -> None:
    """Give each wanted split without a row a group, the smallest of the split that can best spare one.

    Where there are fewer groups than splits, the earlier splits come first.
    """
    for part in wanted:
        groups = np.bincount(parts, minlength=3)
        if groups[part] or placed[part]:
            continue
        spare = groups - (placed == 0)
        giver = int(np.argmax(spare)) if spare.max() > 0 else int(np.flatnonzero(groups)[-1])
        if spare.max() > 0 or giver > part:
            parts[np.flatnonzero(parts == giver)[-1]] = part
