"""What becomes of a model's answers before they are told: calibrated, shifted to a prevalence, held against bands.

Labels stay as the decision rule has them; only probabilities change, and rows near a class go to a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.calibration.abstention import Band, Cost, bands, class_scores, cost, rows_at
from rarecall.analysis.calibration.drift import Tally
from rarecall.analysis.calibration.membership import named_classes, true_classes
from rarecall.analysis.calibration.prevalence import completed, corrected
from rarecall.analysis.calibration.prevalence import parse as parse_prevalence
from rarecall.analysis.calibration.stored import Stored, read_calibration
from rarecall.analysis.criteria.criterion import Criterion
from rarecall.analysis.criteria.criterion import parse as parse_criterion
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import PREDICTIONS_NAME, read_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.exported.names import CALIBRATION_FILE
from rarecall.trainables.tasks import Task, TieredScores

PREVALENCE, ABSTAIN = "--prevalence", "--abstain"
FORM = "must read `recall[CLASS] >= SHARE` with one class of the model and a share below 1"


@dataclass(frozen=True)
class Finishing:
    """stored: the calibration of the folder. reference: its validation predictions, finished; None where it has none.

    before, after: [classes] shares among the validation rows, and where the model is used. bands: of rows that go to a
    person. cuts: between tiers.
    """

    stored: Stored
    labels: LabelSpace
    reference: Predictions | None
    before: FloatArray
    after: FloatArray
    bands: tuple[Band, ...] = ()
    cuts: tuple[float, ...] = ()

    def finished(self, predictions: Predictions) -> Predictions:
        """With probabilities calibrated, at the prevalence that was stated."""
        if predictions.probabilities is None:
            return predictions
        probabilities = self.stored.rescaling.applied(predictions.probabilities)
        if not np.array_equal(self.before, self.after):
            probabilities = corrected(probabilities, self.before, self.after, self.labels.multilabel)
        return replace(predictions, probabilities=probabilities)

    def review(self, finished: Predictions) -> BoolArray | None:
        """For which classes each row goes to a person, [n, classes]; None where none was asked for."""
        if not self.bands:
            return None
        scores, named = class_scores(finished, self.cuts), named_classes(finished, len(self.labels.classes))
        held = np.zeros(named.shape, dtype=bool)
        for one in self.bands:
            held[:, one.index] = one.holds(scores, named)
        return held

    def both(self, predictions: Predictions | None) -> tuple[Predictions | None, BoolArray | None]:
        """Finished, and for which classes each row goes to a person; None where there are no rows."""
        if predictions is None:
            return None, None
        finished = self.finished(predictions)
        return finished, self.review(finished)

    def costs(self) -> tuple[Cost, ...]:
        """What each band costs, by the validation rows."""
        if self.reference is None:
            return ()
        scores, truth = class_scores(self.reference, self.cuts), self._truth(self.reference)
        return tuple(cost(one, scores, self.reference, truth, self.after) for one in self.bands)

    def tally(self, finished: Predictions) -> Tally:
        """Sums over predicted rows."""
        return Tally.of(finished, self.labels)

    def expected_tally(self) -> Tally | None:
        """Sums over the validation rows, weighted to the prevalence that was stated; None where there are none."""
        if self.reference is None:
            return None
        if np.array_equal(self.before, self.after):
            return self.tally(self.reference)
        if self.labels.multilabel:
            weights = rows_at(self._truth(self.reference), self.after)
            return Tally.of(self.reference, self.labels, weights)
        ratio = np.divide(self.after, self.before, out=np.ones_like(self.after), where=self.before > 0)
        return Tally.of(self.reference, self.labels, self._truth(self.reference).astype(np.float64) @ ratio)

    def _truth(self, predictions: Predictions) -> BoolArray:
        return true_classes(predictions, len(self.labels.classes))


def open_finishing(folder: Path, task: Task, prevalence: Sequence[str] = (), abstain: Sequence[str] = ()) -> Finishing:
    """How an exported folder's predictions are finished.

    prevalence: texts such as `threat=0.002`. abstain: texts such as `recall[threat] >= 0.95`.

    Raises:
        InputError: a text that means nothing here, or a folder without the validation predictions that it needs.
        RunError: the folder's calibration is damaged.
    """
    labels = task.label_space
    wanted = _wanted(abstain, labels)
    shares = parse_prevalence(prevalence, labels.classes, PREVALENCE)
    if shares and labels.dimensions:
        raise InputError(PREVALENCE, [Fault(PREVALENCE, "needs probabilities", "a model that gives scores")])
    stored, reference = read_calibration(folder / CALIBRATION_FILE, labels), _validation(folder, labels)
    if reference is None:
        if shares or wanted:
            option = PREVALENCE if shares else ABSTAIN
            rule = f"needs the validation predictions of the export, {PREDICTIONS_NAME}"
            raise InputError(str(folder), [Fault(option, rule, remedy="export the model again")])
        nothing = np.ones(len(labels.classes))
        return Finishing(stored, labels, None, nothing, nothing)
    truth = true_classes(reference, len(labels.classes))
    before = truth.mean(axis=0)
    after = completed(shares, before, labels.classes, labels.multilabel) if shares else before
    cuts = tuple(task.cuts_in_force) if isinstance(task, TieredScores) else ()
    plain = Finishing(stored, labels, reference, before, after, cuts=cuts)
    finished = plain.finished(reference)
    return replace(plain, reference=finished, bands=bands(wanted, class_scores(finished, cuts), truth))


def _validation(folder: Path, labels: LabelSpace) -> Predictions | None:
    path = folder / PREDICTIONS_NAME
    found = read_predictions(path, labels) if path.is_file() else None
    return found if found is not None and len(found) else None


def _wanted(texts: Sequence[str], labels: LabelSpace) -> dict[int, float]:
    """The recall that is wanted, by index of the class."""
    wanted, faults = {}, []
    for text in texts:
        try:
            criterion = parse_criterion(text)
        except ValueError as error:
            faults.append(Fault(ABSTAIN, str(error)))
            continue
        if not _is_recall(criterion, labels):
            faults.append(Fault(ABSTAIN, f"{FORM}, here {', '.join(labels.classes)}", repr(text)))
        else:
            wanted[labels.classes.index(criterion.selector or "")] = criterion.threshold
    if faults:
        raise InputError(ABSTAIN, faults)
    return wanted


def _is_recall(criterion: Criterion, labels: LabelSpace) -> bool:
    plain = criterion.metric == "recall" and criterion.op == ">=" and not criterion.part
    return plain and criterion.selector in labels.classes and 0 < criterion.threshold < 1
