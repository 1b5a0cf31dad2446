"""What labels mean across the files of an experiment: as they are declared, and as one where they look alike."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Protocol

from rarecall.analysis.predictions.label_names import alike_notes, by_meaning, merged_names

REMEDY = "data.merge_alike: true merges them"


class Labels(Protocol):
    """The rows of a file as far as their labels go: n sets of labels, which may be replaced."""

    labels: list[tuple[str, ...]]


def settle_labels(files: Sequence[Labels], declared: Sequence[str], merge: bool, names: Mapping[str, str]) -> list[str]:
    """Give labels the names that are declared for them, and with `merge` one name to those that look alike.

    names: what labels of the files stand for.

    Gives what the user should know of names that look alike, with counts.
    """
    _rename(files, names)
    _rename(files, {read: name for read, name in by_meaning(declared).items() if read != name})
    counts = _counts(files)
    merged = merged_names({**dict.fromkeys(declared, 0), **counts}, declared) if merge else {}
    _rename(files, merged)
    notes = [
        f"labels merged: {name!r} {counts[name]:,} into {other!r} (data.merge_alike)" for name, other in merged.items()
    ]
    return notes if merge else alike_notes({**dict.fromkeys(declared, 0), **counts}, REMEDY)


def _counts(files: Sequence[Labels]) -> Counter[str]:
    return Counter(label for file in files for labels in file.labels for label in labels)


def _rename(files: Sequence[Labels], names: Mapping[str, str]) -> None:
    if names:
        for file in files:
            file.labels = [tuple(dict.fromkeys(names.get(label, label) for label in labels)) for labels in file.labels]
