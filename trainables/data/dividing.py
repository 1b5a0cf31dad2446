"""Which rows are training, validation and test: as files or a column say, by time, or divided here."""

from collections.abc import Sequence

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.errors import Fault, InputError
from rarecall.trainables.config import SplitConfig
from rarecall.trainables.data.reading.reader import SPLITS, Reading
from rarecall.trainables.data.split import split

Parts = dict[str, IntArray]


def divided(reading: Reading, settings: SplitConfig, roles: Sequence[str]) -> Parts:
    """Positions of the rows of each split; `test` is left out where there is none.

    Given files without `validation` leave it to be made of the training rows.

    Raises:
        InputError: `split.column` or `split.time` leaves training or validation without a row.
    """
    if "path" not in roles:
        return _given(reading, settings, roles)
    if reading.parts is not None:
        return _checked(
            "data.split.column", {name: np.flatnonzero(reading.parts == i) for i, name in enumerate(SPLITS)}
        )
    if reading.times is not None:
        return _checked("data.split.time", by_time(reading.times, settings.validation, settings.test))
    made = split(reading.examples, settings.validation, settings.test, settings.seed)
    parts = {"train": made.train, "validation": made.validation}
    return parts | ({"test": made.test} if settings.test > 0 else {})


def _given(reading: Reading, settings: SplitConfig, roles: Sequence[str]) -> Parts:
    parts = {role: np.flatnonzero(reading.roles == i) for i, role in enumerate(roles)}
    if "validation" not in parts:
        train = parts["train"]
        made = split(reading.examples.take(train), settings.validation, 0.0, settings.seed)
        parts |= {"train": train[made.train], "validation": train[made.validation]}
    return {name: parts[name] for name in SPLITS if name in parts}


def by_time(times: FloatArray, validation: float, test: float) -> Parts:
    """The latest rows as test, those before them as validation; rows of one time [n] stay together.

    >>> {name: rows.tolist() for name, rows in by_time(np.array([3.0, 1, 2, 4, 4]), 0.2, 0.2).items()}
    {'train': [1, 2], 'validation': [0], 'test': [3, 4]}
    """
    ordered, count = np.sort(times), len(times)
    first_test = ordered[count - round(count * test)] if round(count * test) else np.inf
    before = ordered[ordered < first_test]
    taken = min(len(before), max(1, round(count * validation)))
    first_validation = before[len(before) - taken] if taken else first_test
    parts = {
        "train": np.flatnonzero(times < first_validation),
        "validation": np.flatnonzero((times >= first_validation) & (times < first_test)),
        "test": np.flatnonzero(times >= first_test),
    }
    return parts


def _checked(where: str, parts: Parts) -> Parts:
    empty = [name for name in SPLITS[:2] if not len(parts[name])]
    if empty:
        told = ", ".join(f"{name} {len(rows):,}" for name, rows in parts.items())
        raise InputError(where, [Fault(where, f"must leave rows for {' and '.join(empty)}", told)])
    return {name: rows for name, rows in parts.items() if len(rows)}
