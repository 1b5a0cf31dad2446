"""The calibration of an exported model as a file, readable without rarecall."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rarecall.analysis.calibration.rescaling import Rescaling
from rarecall.analysis.errors import RunError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.strict_json import dumps

METHODS = {
    False: "p = softmax(slope * log(probability) + bias), fitted on the validation rows",
    True: "p = sigmoid(slope * logit(probability) + bias) for each label, fitted on the validation rows",
}


@dataclass(frozen=True)
class Stored:
    """training: rows of each class that trained; empty where nobody wrote them down."""

    rescaling: Rescaling
    training: Mapping[str, int] = field(default_factory=dict)


def write_calibration(path: Path, rescaling: Rescaling, labels: LabelSpace, training: Mapping[str, int]) -> None:
    """Write a rescaling with the names of its classes; training: rows of each class that trained, as far as known."""
    facts = {
        "method": METHODS[rescaling.independent],
        "classes": list(labels.classes),
        **asdict(rescaling),
        "training_rows": dict(training),
    }
    path.write_text(dumps(facts, indent=2) + "\n", encoding="utf-8")


def read_calibration(path: Path, labels: LabelSpace) -> Stored:
    """Read a calibration back; one that changes nothing where there is no file, as in exports of earlier versions.

    Raises:
        RunError: the file is damaged, or belongs to other classes.
    """
    if not path.is_file():
        return Stored(Rescaling.identity(len(labels.classes), labels.multilabel))
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        found, classes = Rescaling.from_plain(facts), tuple(facts["classes"])
        training = {str(name): int(rows) for name, rows in dict(facts["training_rows"]).items()}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: must be the calibration that the export wrote, got {error!r}") from error
    if (classes, found.independent, len(found.slopes)) != (labels.classes, labels.multilabel, len(classes)):
        raise RunError(f"{path}: must be about the classes of the model, {list(labels.classes)}, got {list(classes)}")
    if training and set(training) != set(classes):
        raise RunError(f"{path}: must have training rows of the classes {list(classes)}, got {list(training)}")
    return Stored(found, training)
