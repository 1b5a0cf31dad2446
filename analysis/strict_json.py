"""JSON as the standard has it: numbers that are not finite become null, numpy values become plain ones."""

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def dumps(value: Any, indent: int | None = None) -> str:
    """The value as strict JSON, on one line without spaces unless an indent is given.

    Raises:
        TypeError: something that JSON cannot hold.

    >>> dumps({"recall": float("nan"), "n": np.int64(3)})
    '{"recall":null,"n":3}'
    """
    separators = (",", ":") if indent is None else None
    return json.dumps(_plain(value), indent=indent, separators=separators, allow_nan=False, ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
