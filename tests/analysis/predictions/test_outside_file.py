import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from rarecall.analysis.errors import InputError
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.outside_file import Gate, Meaning, read_outside, read_told


def jsonl(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_names_of_classes_in_a_table(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("row,true,predicted,slice.script\n7,spam,spam,a\n8,ham,ham,a\n9,ham,spam,b\n")
    predictions, labels = read_outside(path, Meaning())
    assert (labels.classes, labels.minority) == (("ham", "spam"), ("spam",))  # 3 times each, then by name
    assert predictions.rows.tolist() == [7, 8, 9]
    assert evaluate(predictions, labels)["recall[ham]"] == 0.5
    assert predictions.slices["script"].tolist() == ["a", "a", "b"]


def test_numbers_are_in_their_order_and_the_largest_is_no_minority(tmp_path: Path) -> None:
    rows = [{"true": grade, "predicted": 0} for grade in (10, 2, 0, 0, 0)]
    predictions, labels = read_outside(jsonl(tmp_path / "grades.jsonl", rows), Meaning())
    assert (labels.classes, labels.minority) == (("0", "2", "10"), ("2", "10"))
    assert predictions.true_class is not None
    assert predictions.true_class.tolist() == [2, 1, 0, 0, 0]


def test_nested_scores_with_tiers_and_weights(tmp_path: Path) -> None:
    rows = [
        {"true": {"maturity": 2, "proof": 6}, "predicted": {"maturity": 8, "proof": 8}},  # 0.75·2 + 0.25·6 = 3
        {"true": {"maturity": 5, "proof": 5}, "predicted": {"maturity": 4, "proof": 4}},
    ]
    meaning = Meaning(tiers={"vaporware": 0.0, "pilot": 4.0, "deployed": 8.0}, weights={"maturity": 3.0, "proof": 1.0})
    predictions, labels = read_outside(jsonl(tmp_path / "scores.jsonl", rows), meaning)
    assert (labels.classes, labels.dimensions, labels.ordered) == (tuple(meaning.tiers), ("maturity", "proof"), True)
    assert predictions.true_overall is not None
    assert predictions.true_overall.tolist() == [3.0, 5.0]
    assert predictions.true_class is not None
    assert predictions.predicted_class is not None
    assert (predictions.true_class.tolist(), predictions.predicted_class.tolist()) == ([0, 1], [2, 1])
    metrics = evaluate(predictions, labels)
    assert (metrics["mae[maturity]"], metrics["mae[proof]"]) == (3.5, 1.5)  # (6 + 1) / 2 and (2 + 1) / 2


def test_probabilities_say_what_was_predicted(tmp_path: Path) -> None:
    rows = [
        {"true": "b", "probability.a": 0.4, "probability.b": 0.6},
        {"true": "a", "probability.a": 0.1, "probability.b": 0.9},
    ]
    predictions, labels = read_outside(jsonl(tmp_path / "p.jsonl", rows), Meaning(minority=("b",)))
    assert predictions.predicted_class is not None
    assert predictions.predicted_class.tolist() == [1, 1]
    assert np.asarray(predictions.probabilities).tolist() == [[0.4, 0.6], [0.1, 0.9]]
    assert labels.minority == ("b",)


def test_several_labels_per_row(tmp_path: Path) -> None:
    rows = [{"true_label": {"x": 1, "y": 0}, "predicted_label": {"x": 1, "y": 1}}] * 2
    predictions, labels = read_outside(jsonl(tmp_path / "labels.jsonl", rows), Meaning())
    assert labels.multilabel
    assert evaluate(predictions, labels)["recall[x]"] == 1.0


@pytest.mark.parametrize(
    ("text", "meaning", "faults"),
    [
        ("", Meaning(), ["must hold at least one row"]),
        ("[1]\n", Meaning(), ["line 1 must be an object, got list"]),
        ('{"true": "a"\n', Meaning(), ["line 1 is no JSON"]),
        (
            '{"label": "a"}\n',
            Meaning(),
            ["true and predicted: must be a column among label, got none (for scores give --tiers"],
        ),
        (
            '{"true": "a", "predicted": null}\n',
            Meaning(),
            ["predicted: must have a value in every row, got", "in row 1"],
        ),
        (
            '{"true": "a", "predicted": "b"}\n',
            Meaning(classes=("a", "c"), minority=("d",)),
            ["predicted: must be one of a, c, got 'b' in row 1"],
        ),
        ('{"true": "a", "predicted": "a"}\n', Meaning(minority=("d",)), ["--minority: must name classes of a, got d"]),
        (
            '{"true.x": 1, "predicted.x": "high", "true.y": 1}\n',
            Meaning(tiers={"low": 0.0, "high": 5.0}, weights={"z": 1.0}),
            [
                "predicted.x: must be a number, got 'high' in row 1",
                "predicted.y: must be a column among",
                "--weights: must name dimensions of x, y, got 'z'",
            ],
        ),
    ],
)
def test_faults_name_column_rows_and_remedy(tmp_path: Path, text: str, meaning: Meaning, faults: list[str]) -> None:
    path = tmp_path / "theirs.jsonl"
    path.write_text(text)
    with pytest.raises(InputError) as error:
        read_outside(path, meaning)
    for fault in faults:
        assert fault in str(error.value)


def test_a_file_that_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "theirs.parquet"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match=r"must be a table of predictions: .* \(give a \.parquet, \.csv or \.tsv file"):
        read_outside(path, Meaning())


def test_one_object_of_parallel_arrays(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text('{"predictions": [[1, 2], [3, 4]], "labels": [[1, 1], [5, 5]], "dimension_names": ["x", "y"]}')
    predictions, labels = read_outside(path, Meaning(tiers={"low": 0.0, "high": 3.0}))
    assert labels.dimensions == ("x", "y")
    assert predictions.predicted_scores is not None
    assert predictions.predicted_scores.tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert predictions.true_class is not None
    assert predictions.true_class.tolist() == [0, 1]
    path.write_text('{"labels": ["a", "b", "a"], "predictions": ["a", "a", "a"]}')
    predictions, labels = read_outside(path, Meaning())
    assert labels.classes == ("a", "b")
    assert predictions.predicted_class is not None
    assert predictions.predicted_class.tolist() == [0, 0, 0]


def test_another_column_says_what_is_true(tmp_path: Path) -> None:
    """As `predict --keep` hands on the column of the labels."""
    path = tmp_path / "kept.csv"
    path.write_text("row,kind,predicted,probability.a,probability.b\n0,a,a,0.9,0.1\n1,b,a,0.6,0.4\n")
    predictions, labels = read_outside(path, Meaning(true="kind"))
    assert labels.classes == ("a", "b")
    assert predictions.true_class is not None
    assert predictions.true_class.tolist() == [0, 1]
    with pytest.raises(InputError, match="--true: must be a column among row, kind"):
        read_outside(path, Meaning(true="sort"))


def test_a_gatekeeper_closes_tiers_that_are_cut_from_scores(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("true.x,true.y,predicted.x,predicted.y\n9,9,9,1\n9,1,9,9\n1,1,1,1\n")
    gate = Gate("y", 3.0, "low")
    predictions, _ = read_outside(path, Meaning(tiers={"low": 0.0, "high": 4.0}, gatekeeper=gate))
    assert predictions.true_class is not None
    assert predictions.predicted_class is not None
    assert (predictions.true_class.tolist(), predictions.predicted_class.tolist()) == ([1, 0, 0], [0, 1, 0])
    with pytest.raises(InputError, match="--gatekeeper: must name one of x, y and one of low, high"):
        read_outside(path, Meaning(tiers={"low": 0.0, "high": 4.0}, gatekeeper=Gate("z", 3.0, "low")))


@pytest.mark.parametrize(
    ("content", "classes"),
    [
        ("true,predicted\n1,1.0\n0,0.0\n0,0\n", ("0", "1")),
        ("true,predicted\nTrue,true\nFalse,false\nfalse,TRUE\n", ("false", "true")),
        ("true;predicted\n spam,spam\n", None),
        ("true;predicted\nspam ;spam\nham;spam\n", ("spam", "ham")),
        ("true,predicted\nmu\u0308de,m\u00fcde\nwach,wach\n", ("m\u00fcde", "wach")),
    ],
)
def test_labels_have_one_meaning(tmp_path: Path, content: str, classes: tuple[str, ...] | None) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text(content)
    if classes is None:
        with pytest.raises(InputError):
            read_outside(path, Meaning())
        return
    predictions, labels = read_outside(path, Meaning())
    assert labels.classes == classes
    assert predictions.true_class is not None


def test_other_types_mean_the_same(tmp_path: Path) -> None:
    frame = pd.DataFrame({"true": [1.0, 0.0, 0.0], "predicted": [1, 0, 1]})
    frame.to_parquet(tmp_path / "a.parquet")
    pd.DataFrame({"true": [True, False], "predicted": ["True", "false"]}).to_parquet(tmp_path / "b.parquet")
    assert read_outside(tmp_path / "a.parquet", Meaning())[1].classes == ("0", "1")
    assert read_outside(tmp_path / "b.parquet", Meaning())[1].classes == ("false", "true")
    assert read_outside(tmp_path / "a.parquet", Meaning(classes=("1.0", "0.0")))[1].classes == ("1.0", "0.0")


def test_names_that_never_meet_are_refused_and_look_alikes_told(tmp_path: Path) -> None:
    path = tmp_path / "theirs.csv"
    path.write_text("true,predicted\nSpam,spam\nHam,ham\nHam,ham\n")
    with pytest.raises(
        InputError, match="predicted: must name some of the classes in column true, got ham, spam beside"
    ):
        read_outside(path, Meaning())
    predictions, labels, notes = read_told(path, Meaning(merge_alike=True))
    assert (labels.classes, evaluate(predictions, labels)["accuracy"]) == (("Ham", "Spam"), 1.0)
    assert notes[0] == "labels merged: 'ham' into 'Ham' (--merge-alike)"
    path.write_text("true,predicted\nSpam,spam\nHam,Ham\nspam,Ham\n")
    (note,) = read_told(path, Meaning())[2]
    assert note == "labels look alike: 'spam' 2, 'Spam' 1 (--merge-alike merges them)"


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zip"])
def test_packed_predictions(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"theirs.csv{suffix}"
    pd.DataFrame({"true": ["a", "b"], "predicted": ["a", "a"]}).to_csv(path, index=False)
    assert read_outside(path, Meaning())[1].classes == ("a", "b")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(InputError, match="must be a table of predictions"):
        read_outside(path, Meaning())


def test_parquet_with_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    values = pa.array([b"a", b"\xff"], pa.binary())
    broken = pa.Array.from_buffers(pa.string(), 2, values.buffers())
    pyarrow.parquet.write_table(pa.table({"true": broken, "predicted": broken}), path)
    with pytest.raises(InputError, match=r"must be a table of predictions: .*UTF8"):
        read_outside(path, Meaning())
