"""What a fine-tuned model has to beat, on an experiment's own splits: majority guess, and a linear model.

    python benchmarks/floors.py experiments/davidson_tiers.yaml [--all-rows] [--characters] [--json]

For scores, ridge regression on each dimension; for classes and labels, logistic regression. Both plain and balanced,
that is with weights n / (k · n_c), over TF-IDF of words, with `--characters` of up to three characters, or over pixels.
On the test split. `--all-rows` trains on the whole training split where the experiment takes a sample of it.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils.class_weight import compute_sample_weight

from rarecall.analysis.errors import Fault, InputError, RarecallError
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.text.table import Column, render_columns
from rarecall.search.experiment.schema import load_experiment
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.prepare import load_splits
from rarecall.trainables.data.prepared import LabelledSplits

MOST_RECALLS = 8


@dataclass(frozen=True)
class Floor:
    """One simple model and its metrics on the test split."""

    name: str
    metrics: dict[str, float]


def floors(data: LabelledSplits, characters: bool) -> list[Floor]:
    """The majority guess, and a linear model, plain and balanced."""
    test = data.test if data.test is not None else data.validation
    seen, unseen = _features(data.train, test, characters)
    found = [Floor("majority guess", _metrics(data, _majority(data, test)))]
    inputs = "TF-IDF" if data.train.images is None else "pixels"
    for name in ("plain", "balanced"):
        guess = _linear(data, test, seen, unseen, name == "balanced")
        kind = "ridge" if data.train.scores is not None else "logistic regression"
        found.append(Floor(f"{inputs}, {name} {kind}", _metrics(data, guess)))
    return found


def _features(train: Examples, test: Examples, characters: bool) -> tuple[Any, Any]:
    if train.images is not None and test.images is not None:
        return tuple(
            np.stack([images[i].ravel() / 255 for i in range(len(images))]) for images in (train.images, test.images)
        )
    grams = {"analyzer": "char_wb", "ngram_range": (1, 3)} if characters else {"ngram_range": (1, 2)}
    words = TfidfVectorizer(min_df=2, sublinear_tf=True, **grams)
    try:
        return words.fit_transform(train.texts), words.transform(test.texts)
    except ValueError as error:
        rule, remedy = "must hold words that come twice", "--characters, for scripts without spaces"
        raise InputError("data.text", [Fault("data.text", rule, str(error), remedy)]) from error


def _majority(data: LabelledSplits, test: Examples) -> Predictions:
    """The same for every row: the mean scores of the largest class, the largest class, or the labels of most rows."""
    largest = np.full(len(test), np.bincount(data.train.classes).argmax())
    if data.train.scores is not None:
        mean = _unit_scores(data)[data.train.classes == largest[0]].mean(0)
        return data.task.predictions(np.tile(mean, (len(test), 1)), test)
    if data.train.labels is not None:
        return _of_labels(test, np.tile(data.train.labels.mean(0), (len(test), 1)))
    return _of_classes(test, np.eye(len(data.task.label_space.classes))[largest])


def _linear(data: LabelledSplits, test: Examples, seen: Any, unseen: Any, balanced: bool) -> Predictions:
    train = data.train
    if train.scores is not None:
        weights = compute_sample_weight("balanced", train.classes) if balanced else None
        fitted = Ridge(alpha=1.0).fit(seen, _unit_scores(data), sample_weight=weights)
        return data.task.predictions(fitted.predict(unseen), test)
    # Pixels say less each than words do, and there are few images.
    strength = 10.0 if train.images is None else 0.01
    model = LogisticRegression(max_iter=1000, C=strength, class_weight="balanced" if balanced else None)
    if train.labels is not None:
        return _of_labels(test, OneVsRestClassifier(model).fit(seen, train.labels.astype(int)).predict_proba(unseen))
    probabilities = np.zeros((len(test), len(data.task.label_space.classes)))
    fitted = model.fit(seen, train.classes)
    probabilities[:, fitted.classes_] = fitted.predict_proba(unseen)
    return _of_classes(test, probabilities)


def _of_classes(test: Examples, probabilities: Any) -> Predictions:
    return Predictions(
        test.rows, test.classes, probabilities.argmax(1), probabilities=probabilities, slices=test.slices
    )


def _of_labels(test: Examples, probabilities: Any) -> Predictions:
    return Predictions(
        test.rows,
        probabilities=probabilities,
        true_labels=test.labels,
        predicted_labels=probabilities > 0.5,
        slices=test.slices,
    )


def _unit_scores(data: LabelledSplits) -> Any:
    return data.task.targets(data.train)


def _metrics(data: LabelledSplits, predictions: Predictions) -> dict[str, float]:
    return evaluate(predictions, data.task.label_space)


def _table(data: LabelledSplits, found: list[Floor]) -> str:
    labels = data.task.label_space
    others = [name for name in labels.classes if name not in labels.minority]
    shown = ["minority_recall", "minority_f1", "macro_f1"]
    shown += ["quadratic_weighted_kappa"] if labels.ordered else []
    shown += [f"recall[{name}]" for name in (*others, *labels.minority)][:MOST_RECALLS]
    columns = [Column(("on the test split",), tuple(floor.name for floor in found), "<")]
    columns += [Column((key,), tuple(f"{100 * floor.metrics[key]:.1f} %" for floor in found)) for key in shown]
    return "\n".join(render_columns(columns))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--all-rows", action="store_true", help="train on the whole training split")
    parser.add_argument("--characters", action="store_true", help="for scripts without spaces")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        loaded = load_experiment(options.experiment, {"data.max_train_rows": None} if options.all_rows else {})
        data = load_splits(loaded.experiment, loaded.folder)
        found = floors(data, options.characters)
    except RarecallError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps({floor.name: floor.metrics for floor in found}, indent=2) if options.json else _table(data, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
