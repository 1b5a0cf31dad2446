"""A first experiment from Python: what `rarecall init` does."""

import os
from collections.abc import Sequence
from pathlib import Path

from rarecall.search.draft.writing import write_draft


def init(
    file: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    text: Sequence[str] = (),
    label: Sequence[str] = (),
    overwrite: bool = False,
) -> Path:
    """Write a commented experiment for a file of labelled rows, with criteria that they can decide; gives its path.

    text, label: names of columns; what is not given is found out, and how is in the comments.

    Raises:
        InputError: the file cannot be read, or has no columns that could be text and label.
        RunError: `output` is there already.
    """
    write_draft(Path(file), Path(output), _names(text), _names(label), overwrite=overwrite)
    return Path(output)


def _names(given: Sequence[str]) -> Sequence[str]:
    return (given,) if isinstance(given, str) else given
