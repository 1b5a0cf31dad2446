"""Arrays of an .npz file as columns."""

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rarecall.analysis.errors import first_line
from rarecall.trainables.data.files.columns import check_columns
from rarecall.trainables.data.files.options import unusable

Column = Sequence[Any] | NDArray[np.uint8]


def plain_arrays(path: Path, names: Sequence[str] | None) -> dict[str, NDArray[Any]]:
    """The arrays `names` of an .npz file, all of them with None.

    Raises:
        InputError: not such a file, an array is missing or is none of rows, or they are not of equally many rows.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise unusable(path, "must be an .npz file of plain arrays", "a single array", "use np.savez")
            wanted = file.files if names is None else list(dict.fromkeys(names))
            check_columns(path, wanted, file.files)
            arrays: dict[str, Any] = {name: file[name] for name in wanted}
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError, MemoryError, SyntaxError) as error:
        raise unusable(path, "must be an .npz file of plain arrays", first_line(error)) from error
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray) or array.ndim == 0:
            raise unusable(path, f"array {name!r} must have a row for each example", "a single value")
    if len({len(array) for array in arrays.values()}) > 1:
        told = ", ".join(f"{name} {len(array)}" for name, array in arrays.items())
        raise unusable(path, "must hold arrays of equally many rows", told)
    return arrays


def array_column(path: Path, name: str, array: Any) -> Column:
    """The values [n] of an array, or images [n, height, width] or [n, height, width, 3] of bytes as they are.

    Raises:
        InputError: an array of another shape.
    """
    if array.ndim >= 3 and array.dtype == np.uint8 and (array.ndim == 3 or array.shape[3:] == (3,)):
        images: NDArray[np.uint8] = array
        return images
    flat = array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array
    if flat.ndim not in (1, 2):
        rule = (
            f"array {name!r} must be [n] or [n, labels], or images of bytes [n, height, width] or [n, height, width, 3]"
        )
        raise unusable(path, rule, f"{array.dtype} {list(array.shape)}")
    values: list[object] = flat.tolist()
    return values


def item_of(value: Any) -> Any:
    """A plain value, the list of a row's marks, or the array of an image."""
    if value.size == 1:
        return value.squeeze().item()
    return value.tolist() if value.ndim == 1 else value
