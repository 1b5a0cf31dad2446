"""What a fine-tuned model has to beat, on an experiment's own splits: majority guess, and TF-IDF with a linear model.

    python benchmarks/floors.py experiments/davidson_tiers.yaml [--all-rows] [--json]

For scores, ridge regression on each dimension; for classes, logistic regression. Both plain and balanced, that is with
row weights n / (k · n_c). Recall of the minority and of the largest class on the test split. `--all-rows` trains on the
whole training split where the experiment takes a sample of it.
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.class_weight import compute_sample_weight

from analysis.errors import RarecallError
from analysis.metrics import evaluate
from analysis.table import Column, render_columns
from search.experiment import load_experiment
from trainables.examples import Examples
from trainables.prepare import LabelledSplits, load_splits


@dataclass(frozen=True)
class Floor:
    """One simple model and its metrics on the test split."""

    name: str
    metrics: dict[str, float]


def floors(data: LabelledSplits) -> list[Floor]:
    """The majority guess, and TF-IDF plain and balanced."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    seen = words.fit_transform(data.train.texts)
    test = data.test if data.test is not None else data.validation
    unseen = words.transform(test.texts)
    found = [Floor("majority guess", _metrics(data, test, _majority(data, len(test))))]
    for name, weights in (("plain", None), ("balanced", compute_sample_weight("balanced", data.train.classes))):
        outputs = _linear(data, seen, unseen, weights)
        kind = "ridge" if data.train.scores is not None else "logistic regression"
        found.append(Floor(f"TF-IDF, {name} {kind}", _metrics(data, test, outputs)))
    return found


def _majority(data: LabelledSplits, rows: int) -> Any:
    """Outputs that name the largest class whatever the text: its mean scores, or a certain logit."""
    largest = np.bincount(data.train.classes).argmax()
    if data.train.scores is not None:
        return np.tile(_unit_scores(data)[data.train.classes == largest].mean(0), (rows, 1))
    return np.tile(np.eye(len(data.task.label_space.classes))[largest] * 10, (rows, 1))


def _linear(data: LabelledSplits, seen: sparse.csr_matrix, unseen: sparse.csr_matrix, weights: Any) -> Any:
    if data.train.scores is not None:
        return Ridge(alpha=1.0).fit(seen, _unit_scores(data), sample_weight=weights).predict(unseen)
    model = LogisticRegression(max_iter=1000, C=10.0).fit(seen, data.train.classes, sample_weight=weights)
    return model.decision_function(unseen)


def _unit_scores(data: LabelledSplits) -> Any:
    return data.task.targets(data.train.classes, data.train.scores)


def _metrics(data: LabelledSplits, test: Examples, outputs: Any) -> dict[str, float]:
    predictions = data.task.predictions(np.asarray(outputs), test.rows, test.classes, test.scores)
    return evaluate(predictions, data.task.label_space)


def _table(data: LabelledSplits, found: list[Floor]) -> str:
    labels = data.task.label_space
    largest = labels.classes[np.bincount(data.train.classes).argmax()]
    shown = ["minority_recall", "macro_f1", *(f"recall[{name}]" for name in (largest, *labels.minority))]
    columns = [Column(("on the test split",), tuple(floor.name for floor in found), "<")]
    columns += [Column((key,), tuple(f"{100 * floor.metrics[key]:.1f} %" for floor in found)) for key in shown]
    return "\n".join(render_columns(columns))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--all-rows", action="store_true", help="train on the whole training split")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        loaded = load_experiment(options.experiment, {"data.max_train_rows": None} if options.all_rows else {})
        data = load_splits(loaded.experiment, loaded.folder)
    except RarecallError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    found = floors(data)
    print(json.dumps({floor.name: floor.metrics for floor in found}, indent=2) if options.json else _table(data, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
