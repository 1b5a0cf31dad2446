"""Names and paths read from a ledger, which may be somebody else's: none leads out of the run folder."""

import re
from pathlib import Path, PurePosixPath

from rarecall.analysis.errors import RunError

_TRIAL = re.compile(r"\w[\w.-]{0,127}")


def trial_name(name: object) -> str:
    """The name of a trial, which becomes part of file names.

    Raises:
        ValueError: a name of other characters than letters, digits, dots, dashes and underscores, or too long a one.

    >>> trial_name("t0001-fold2")
    't0001-fold2'
    """
    if not isinstance(name, str) or not _TRIAL.fullmatch(name):
        rule = "a trial's name must be letters, digits, dots and dashes, at most 128"
        raise ValueError(f"{rule}, got {repr(name)[:80]}")
    return name


def relative_path(path: object) -> str | None:
    """A path below the run folder as a ledger has it, None for none.

    Raises:
        ValueError: an absolute one, or one that goes up.
    """
    if path is None:
        return None
    parts = PurePosixPath(path).parts if isinstance(path, str) else ()
    if not parts or parts[0] == "/" or ".." in parts or "\0" in str(path):
        raise ValueError(f"a path of a ledger must stay within the run folder, got {str(path)[:80]!r}")
    return str(path)


def within(folder: Path, path: str) -> Path:
    """The place of a path below a folder.

    Raises:
        RunError: it leads out of the folder, through a link for instance.
    """
    place = folder / path
    if not place.resolve().is_relative_to(folder.resolve()):
        raise RunError(f"{place}: leads out of the run folder (a ledger's paths must stay within it; remove the link)")
    return place
