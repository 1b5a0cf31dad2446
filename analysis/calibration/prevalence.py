"""Calibrated probabilities where a class is more or less frequent than among the rows that calibrated them."""

from collections.abc import Mapping, Sequence

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.errors import Fault, InputError


def parse(texts: Sequence[str], classes: Sequence[str], place: str = "--prevalence") -> dict[str, float]:
    """Shares by class, from texts such as `threat=0.002`.

    Raises:
        InputError: a text of another form, an unknown class or one named twice, a number that is no share.

    >>> parse(["threat=0.002"], ("ordinary", "threat"))
    {'threat': 0.002}
    """
    shares: dict[str, float] = {}
    faults = []
    for text in texts:
        name, _, number = text.rpartition("=")
        rule = _broken(name.strip(), number, shares, classes)
        if rule:
            faults.append(Fault(place, rule, repr(text)))
        else:
            shares[name.strip()] = float(number)
    if faults:
        raise InputError(place, faults)
    return shares


def _broken(name: str, number: str, shares: Mapping[str, float], classes: Sequence[str]) -> str:
    """The rule that one text breaks, "" for none."""
    if name not in classes:
        return f"must read CLASS=SHARE with one of {', '.join(classes)}"
    if name in shares:
        return f"must name {name} once"
    try:
        return "" if 0 < float(number) < 1 else "must name a share between 0 and 1"
    except ValueError:
        return "must name a share between 0 and 1"


def completed(
    stated: Mapping[str, float], observed: FloatArray, classes: Sequence[str], independent: bool
) -> FloatArray:
    """Shares [classes] with those that are stated; the other classes divide the rest as they did.

    observed: [classes] shares among the rows that calibrated. independent: whether a row may have several classes, so
    that shares do not depend on each other.

    Raises:
        InputError: the stated shares leave nothing, or too much.

    >>> completed({"c": 0.5}, np.array([0.6, 0.2, 0.2]), ("a", "b", "c"), independent=False).round(4).tolist()
    [0.375, 0.125, 0.5]
    """
    given = np.array([name in stated for name in classes])
    shares = np.where(given, [stated.get(name, 0.0) for name in classes], observed)
    if independent:
        return np.asarray(shares)
    rest, before = 1 - shares[given].sum(), observed[~given].sum()
    if (rest <= 0) if before else (abs(rest) > 1e-6):
        rule = "the shares must leave something to the other classes" if before else "the shares must sum to 1"
        raise InputError("--prevalence", [Fault("--prevalence", rule, f"{1 - rest:g} in all")])
    return np.asarray(np.where(given, shares, shares * rest / before if before else 0.0))


def corrected(probabilities: FloatArray, before: FloatArray, after: FloatArray, independent: bool) -> FloatArray:
    """Probabilities [n, classes] where classes have the shares `after` [classes] instead of `before` [classes].

    Each class's probability times after / before, scaled to one again; for independent labels the same with a label and
    its absence (Saerens et al. 2002, Neural Computation 14:21-41). Right as long as rows of a class look as before. A
    class without rows before keeps its odds.

    >>> corrected(np.array([[0.5, 0.5]]), np.array([0.5, 0.5]), np.array([0.9, 0.1]), independent=False).tolist()
    [[0.9, 0.1]]
    """
    known = before > 0
    ratio = np.where(known, after / np.where(known, before, 1.0), 1.0)
    weighted = probabilities * ratio
    if independent:
        absent = np.where(known & (before < 1), (1 - after) / np.where(before < 1, 1 - before, 1.0), 1.0)
        return np.asarray(weighted / (weighted + (1 - probabilities) * absent))
    return np.asarray(weighted / weighted.sum(axis=1, keepdims=True))
