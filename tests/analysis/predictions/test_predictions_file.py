from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecall.analysis.errors import RunError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import read_predictions, write_predictions
from rarecall.analysis.predictions.predictions import Predictions

CLASSES = LabelSpace(("safe", "有害", "c.d"), ("有害",))


def with_probabilities(count: int, seed: int = 0) -> Predictions:
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.ones(3), count)
    return Predictions(
        generator.permutation(count),
        generator.integers(0, 3, count),
        probabilities.argmax(axis=1).astype(np.int64),
        probabilities,
    )


def assert_equal(one: Predictions, other: Predictions) -> None:
    for field in fields(Predictions):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if left is None:
            assert right is None
        elif field.name == "slices":
            assert {name: values.tolist() for name, values in left.items()} == {
                name: values.tolist() for name, values in right.items()
            }
        else:
            np.testing.assert_array_equal(left, right)
            assert left.dtype == right.dtype


def test_columns_are_as_any_tool_reads_them(
    tmp_path: Path, tiers: LabelSpace, tiered_predictions: Callable[..., Predictions]
) -> None:
    predictions = tiered_predictions(1.0, 3)
    write_predictions(tmp_path / "new" / "a.parquet", predictions, tiers)
    frame = pd.read_parquet(tmp_path / "new" / "a.parquet")
    assert list(frame) == [
        "row",
        "true",
        "predicted",
        *(f"true.{name}" for name in tiers.dimensions),
        *(f"predicted.{name}" for name in tiers.dimensions),
        "true.overall",
        "predicted.overall",
    ]
    assert frame["true"].tolist() == [tiers.classes[index] for index in predictions.true_class]
    assert predictions.predicted_scores is not None
    assert frame["predicted.evidence"].tolist() == predictions.predicted_scores[:, 2].tolist()
    assert_equal(read_predictions(tmp_path / "new" / "a.parquet", tiers), predictions)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 50), st.integers(0, 100))
def test_probabilities_come_back(tmp_path_factory: pytest.TempPathFactory, count: int, seed: int) -> None:
    path = tmp_path_factory.mktemp("predictions") / "a.parquet"
    predictions = with_probabilities(count, seed)
    write_predictions(path, predictions, CLASSES)
    assert_equal(read_predictions(path, CLASSES), predictions)


def test_writing_again_replaces_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    write_predictions(path, with_probabilities(3), CLASSES)
    write_predictions(path, with_probabilities(5), CLASSES)
    assert len(read_predictions(path, CLASSES).rows) == 5
    assert list(tmp_path.iterdir()) == [path]


def test_refuses_a_dimension_named_overall(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must not be named 'overall'"):
        write_predictions(tmp_path / "a.parquet", with_probabilities(3), replace(CLASSES, dimensions=("overall",)))


def test_reading_tells_what_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    with pytest.raises(RunError, match=r"a.parquet: the stored predictions cannot be read: .*run the trial again"):
        read_predictions(path, CLASSES)
    path.write_bytes(b"not parquet at all")
    with pytest.raises(RunError, match="cannot be read"):
        read_predictions(path, CLASSES)
    pd.DataFrame({"row": [0], "true": ["safe"]}).to_parquet(path)
    with pytest.raises(RunError, match="must have the columns row, true, predicted, got none of predicted"):
        read_predictions(path, CLASSES)
    write_predictions(path, with_probabilities(20), CLASSES)
    with pytest.raises(RunError, match=r"the classes of true must be among \['safe', 'unsafe'\], got "):
        read_predictions(path, LabelSpace(("safe", "unsafe"), ("unsafe",)))
    pd.read_parquet(path).drop(columns="probability.safe").to_parquet(path)
    with pytest.raises(RunError, match=r"probability must have a column for each of .*, got none of \['safe'\]"):
        read_predictions(path, CLASSES)


def test_labels_and_slices_come_back(tmp_path: Path) -> None:
    labels = LabelSpace(("insult", "threat"), ("threat",), multilabel=True)
    predictions = Predictions(
        np.arange(2),
        probabilities=np.array([[0.9, 0.2], [0.1, 0.6]]),
        true_labels=np.array([[True, False], [False, False]]),
        predicted_labels=np.array([[True, False], [False, True]]),
        slices={"script": np.array(["kana", "kanji"], dtype=object)},
    )
    write_predictions(tmp_path / "a.parquet", predictions, labels)
    assert_equal(read_predictions(tmp_path / "a.parquet", labels), predictions)
    frame = pd.read_parquet(tmp_path / "a.parquet")
    assert frame["predicted_label.threat"].tolist() == [False, True]
    assert frame["slice.script"].tolist() == ["kana", "kanji"]


def test_answers_that_could_not_be_read_come_back(tmp_path: Path) -> None:
    labels = LabelSpace(("low", "high"), ("high",), ("x",), ordered=True, written=True)
    scores = np.array([[1.0], [9.0], [3.0]])
    classes = np.array([0, 1, 0])
    answers = np.array([None, "", "I think x is 4 é\n"], dtype=np.object_)
    predictions = Predictions(
        np.arange(3), classes, classes, None, scores, scores, scores[:, 0], scores[:, 0], unreadable=answers
    )
    write_predictions(tmp_path / "a.parquet", predictions, labels)
    assert_equal(read_predictions(tmp_path / "a.parquet", labels), predictions)
    assert read_predictions(tmp_path / "a.parquet", replace(labels, written=False)).unreadable is None
