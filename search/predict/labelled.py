"""An exported model on labelled data: predictions beside what is true, for `rarecall evaluate`."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from rarecall.analysis.calibration.stored import read_calibration
from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.evaluation.targets import Target
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.search.predict.command import BATCH_ROWS, read_experiment
from rarecall.search.review.facts import measured_facts
from rarecall.trainables.config import DataConfig, SplitConfig, TrialConfig
from rarecall.trainables.data.reading.locations import label_names
from rarecall.trainables.data.reading.reader import read_rows
from rarecall.trainables.exported.names import CALIBRATION_FILE
from rarecall.trainables.exported.predictor import Predictor, open_predictor
from rarecall.trainables.tasks import Task, default_minority
from rarecall.trainables.tasks.config import TaskConfig


def model_target(folder: Path, path: Path) -> Target:
    """What `rarecall evaluate FOLDER --data FILE` looks at, with the criteria of the experiment.

    Raises:
        InputError, RunError: as `predict_labelled`.
    """
    predictions, labels = predict_labelled(folder, path)
    criteria = tuple(parse(text, labels.minority) for text in read_experiment(folder).criteria)
    return Target(f"{folder} on {path}", predictions, labels, criteria)


def predict_labelled(folder: Path, path: Path, batch_size: int = BATCH_ROWS) -> tuple[Predictions, LabelSpace]:
    """Predictions of an exported folder for the rows of a file that has labels, and what they are about.

    The file is read as `experiment.yaml` in the folder says: its columns, and its `data.on_bad_row`.

    Raises:
        InputError: the folder, the file or rows of it cannot be used.
        RunError: the model does not load.
    """
    experiment = read_experiment(folder)
    return labelled_by(open_predictor(folder, experiment, batch_size), experiment, folder, path)


def labelled_by(
    predictor: Predictor, experiment: TrialConfig, folder: Path, path: Path
) -> tuple[Predictions, LabelSpace]:
    """As `predict_labelled`, by a model that is loaded already."""
    task = _with_minority(predictor.task, experiment.task, folder)
    reading = read_rows(
        {"path": path},
        _alone(experiment.data),
        _with_classes(experiment.task, task),
        label_names(experiment.data, folder),
    )
    predictions = predictor.predictions(predictor.encode(reading.examples))
    if predictions.probabilities is not None:
        rescaling = read_calibration(folder / CALIBRATION_FILE, task.label_space).rescaling
        predictions = replace(predictions, probabilities=rescaling.applied(predictions.probabilities))
    return predictions, task.label_space


def _alone(data: DataConfig) -> DataConfig:
    """The same columns in one file that nobody divides."""
    one_file = {
        "dataset": None,
        "path": "",
        "train": None,
        "validation": None,
        "test": None,
        "split": SplitConfig(),
        "format": "auto",
    }
    return data.model_copy(update=one_file)


def _with_classes(config: TaskConfig, task: Task) -> TaskConfig:
    """The section with the classes that the model knows, where it left them to the training data."""
    return config.with_names(task.label_space.classes)


def _with_minority(task: Task, config: TaskConfig, folder: Path) -> Task:
    if config.minority is not None:
        return task
    classes = task.label_space.classes
    # The largest class of validation is that of training, which it was split from.
    support = dict(measured_facts(folder).get("validation") or {})
    counts = np.array([support.get(f"support[{name}]") or 0 for name in classes], dtype=np.int64)
    return task.with_minority(default_minority(classes, counts))
