"""Criteria from the command line: lines, files of lines, or experiments."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rarecall.analysis.criteria.criterion import Criterion, check, parse
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.search.experiment.plugins import load_plugins
from rarecall.search.experiment.yaml_file import read_yaml


def read_criteria(given: Sequence[str], labels: LabelSpace) -> tuple[Criterion, ...]:
    """Criteria from lines and from files, which hold one per line or are experiments.

    Raises:
        InputError: criteria that cannot be read or do not fit the labels, all of them.
    """
    texts = [line for text in given for line in (_file_lines(Path(text)) if is_file(text) else [text])]
    criteria, faults = [], []
    for text in texts:
        try:
            criteria.append(parse(text, labels.minority))
        except ValueError as error:
            faults.append(Fault(text, str(error)))
    try:
        check(criteria, labels)
    except ValueError as error:
        faults += [Fault("criteria", line) for line in str(error).splitlines()]
    if faults:
        raise InputError("--criteria", faults)
    return tuple(criteria)


def is_file(text: str) -> bool:
    """Whether a text of the command line names a file."""
    try:
        return Path(text).is_file()
    except OSError:  # longer than a path may be
        return False


def _file_lines(path: Path) -> list[str]:
    if path.suffix in (".yaml", ".yml"):
        tree = read_yaml(path)
        load_plugins(tree.get("plugins"), path.resolve().parent)
        found: Any = tree.get("criteria") or []
        return [str(line) for line in found]
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("#")]
