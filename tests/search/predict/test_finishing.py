"""What `rarecall predict` does with a model's answers: calibration, prevalence, rows for a person, its last lines."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter
from rich.console import Console

import rarecall
from rarecall.analysis.calibration.rescaling import Rescaling, fit
from rarecall.analysis.calibration.stored import read_calibration, write_calibration
from rarecall.analysis.errors import InputError, RunError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.search.predict import command as module
from rarecall.search.predict.command import PredictOptions, predict
from rarecall.search.predict.finishing import open_finishing
from rarecall.search.predict.labelled import predict_labelled
from rarecall.search.predict.summary import band_lines, summary_lines
from rarecall.trainables.exported.names import CALIBRATION_FILE
from rarecall.trainables.tasks import build_task
from rarecall.trainables.tasks.config import TaskConfig
from tests.exported_folder import CLASSES, TASKS, export_folder, texts

LABELS = LabelSpace(tuple(CLASSES), ("high",))


def write_texts(path, given):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in given))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An export whose validation rows are the model's own answers, too sure of the class `high`."""
    path = tmp_path_factory.mktemp("exported") / "classes"
    task = export_folder(path, "multiclass")
    given = texts(120, seed=4)
    source = write_texts(path.parent / "validation.jsonl", given)
    predict(PredictOptions(path, source, path.parent / "raw.jsonl"), Console(quiet=True))
    raw = pd.read_json(path.parent / "raw.jsonl", lines=True)
    told = raw[[f"probability.{name}" for name in CLASSES]].to_numpy()
    random = np.random.default_rng(0)
    truth = np.array([random.choice(3, p=row) for row in told * [1.0, 0.5, 0.25] / (told @ [1.0, 0.5, 0.25])[:, None]])
    named = raw["predicted"].map(CLASSES.index).to_numpy()
    validation = Predictions(np.arange(120), truth, named, told)
    write_predictions(path / "predictions.parquet", validation, task.label_space)
    write_calibration(path / CALIBRATION_FILE, fit(validation), task.label_space, {"low": 90, "middle": 9, "high": 1})
    return path


@pytest.fixture(scope="module")
def task(folder):
    return build_task(module.read_experiment(folder).task, ())


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_texts(tmp_path_factory.mktemp("rows") / "rows.jsonl", texts(60, seed=8))


def predicted(folder, source, output, **options):
    """The rows written, and what was said."""
    told = io.StringIO()
    predict(PredictOptions(folder, source, output, **options), Console(file=told, width=200))
    return pd.read_json(output, lines=True), told.getvalue()


def probabilities(rows):
    return rows[[f"probability.{name}" for name in CLASSES]].to_numpy()


def test_probabilities_are_those_of_calibration_json_and_labels_stay(folder, source, tmp_path):
    rows, told = predicted(folder, source, tmp_path / "out.jsonl")
    (folder / CALIBRATION_FILE).rename(tmp_path / "aside")
    raw, _ = predicted(folder, source, tmp_path / "raw.jsonl")
    (tmp_path / "aside").rename(folder / CALIBRATION_FILE)
    facts = json.loads((folder / CALIBRATION_FILE).read_text())
    weighted = probabilities(raw) ** facts["slopes"][0] * np.exp(facts["biases"])
    assert probabilities(rows) == pytest.approx(weighted / weighted.sum(axis=1, keepdims=True), abs=2e-5)
    assert probabilities(rows)[:, 2].mean() < 0.6 * probabilities(raw)[:, 2].mean()
    assert rows["predicted"].tolist() == raw["predicted"].tolist()
    count = (rows["predicted"] == "high").sum()
    line = next(line for line in told.splitlines() if line.startswith("high"))
    assert line.split()[1] == str(count)
    assert "1.0 %" in line  # true in training: 1 of 100
    assert "drift" not in told


def test_a_stated_prevalence_moves_the_odds_by_its_factor(folder, source, tmp_path):
    before, _ = predicted(folder, source, tmp_path / "one.jsonl")
    after, _ = predicted(folder, source, tmp_path / "two.jsonl", prevalence=("high=0.01",))
    share = pd.read_parquet(folder / "predictions.parquet")["true"].eq("high").mean()
    odds = [probabilities(rows)[:, 2] / (1 - probabilities(rows)[:, 2]) for rows in (before, after)]
    factor = 0.01 / 0.99 / (share / (1 - share))
    assert odds[1] / odds[0] == pytest.approx(np.full(60, factor), rel=0.02)
    model = rarecall.load_model(folder)
    given = texts(60, seed=8)
    assert model.predict_proba(given, {"high": 0.01})["high"].tolist() == pytest.approx(
        after["probability.high"].tolist()
    )
    assert model.predict_proba(given)["high"].tolist() == pytest.approx(before["probability.high"].tolist())


def test_rows_of_the_band_go_to_a_person(folder, source, tmp_path):
    rows, told = predicted(folder, source, tmp_path / "out.jsonl", abstain=("recall[high] >= 0.8",))
    validation = pd.read_parquet(folder / "predictions.parquet")
    facts = json.loads((folder / CALIBRATION_FILE).read_text())
    weighted = validation[[f"probability.{name}" for name in CLASSES]].to_numpy() ** facts["slopes"][0]
    weighted = weighted * np.exp(facts["biases"])
    own = np.sort((weighted[:, 2] / weighted.sum(axis=1))[validation["true"] == "high"])
    least = own[int((len(own) + 1) * 0.2) - 1]
    held = (rows["probability.high"] >= least - 1e-9) & (rows["predicted"] != "high")
    assert held.any()
    assert [bool(names) for names in rows["review"]] == held.tolist()
    assert rows.loc[held, "review"].map(lambda names: names == ["high"]).all()
    assert f"{held.sum()} rows go to a person" in told
    assert "recall[high] >= 0.8: about" in told
    assert rarecall.load_model(folder).review(texts(60, seed=8), "recall[high] >= 0.8").map(bool).tolist() == [*held]


def test_a_killed_prediction_tells_of_all_rows_after_it_was_resumed(folder, source, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_ROWS", 16)
    options = {"abstain": ("recall[high] >= 0.8",)}
    _, whole = predicted(folder, source, tmp_path / "whole.jsonl", **options)
    written = module.PredictionOutput.append

    def stopping(self, columns):
        written(self, columns)
        if self.rows >= 32:
            raise KeyboardInterrupt

    monkeypatch.setattr(module.PredictionOutput, "append", stopping)
    with pytest.raises(KeyboardInterrupt):
        predicted(folder, source, tmp_path / "part.jsonl", **options)
    monkeypatch.setattr(module.PredictionOutput, "append", written)
    rows, told = predicted(folder, source, tmp_path / "part.jsonl", **options)
    assert len(rows) == 60
    assert told.partition("rows/s)")[2] == whole.partition("rows/s)")[2] != ""


def test_other_options_are_another_output(folder, source, tmp_path):
    predicted(folder, source, tmp_path / "out.jsonl")
    (tmp_path / "out.jsonl.progress.json").write_text(
        json.dumps({"rows": 0, "position": 0, "of": {"--prevalence": []}})
    )
    with pytest.raises(RunError, match="another"):
        predicted(folder, source, tmp_path / "out.jsonl", prevalence=("high=0.01",))


def test_other_rows_are_told_as_drift(folder, task):
    finishing = open_finishing(folder, task)
    random = np.random.default_rng(1)
    named = random.choice(3, 500, p=[0.05, 0.05, 0.9])
    shifted = Predictions(np.arange(500), None, named, np.eye(3)[named] * 0.7 + 0.1)
    lines = summary_lines(finishing.tally(shifted), finishing)
    assert any(line.startswith("drift: high is named in") for line in lines)
    assert any(line.startswith("drift: the mean probability of high") for line in lines)
    same = finishing.reference.take(np.arange(120))
    assert not any("drift" in line for line in summary_lines(finishing.tally(same), finishing))


def test_too_few_rows_of_a_class_are_told(folder, task):
    finishing = open_finishing(folder, task, abstain=["recall[high] >= 0.99"])
    assert "every row that is not named high goes to a person; 99 rows would" in band_lines(finishing)[0]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"abstain": ("precision[high] >= 0.9",)}, r"must read `recall\[CLASS\] >= SHARE`"),
        ({"abstain": ("recall[huge] >= 0.9",)}, "here low, middle, high"),
        ({"abstain": ("recall[high] <= 0.9",)}, "must read"),
        ({"abstain": ("high",)}, "must read `metric"),
        ({"prevalence": ("huge=0.1",)}, "one of low, middle, high"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_is_predicted(folder, source, tmp_path, options, rule):
    with pytest.raises(InputError, match=rule):
        predicted(folder, source, tmp_path / "out.jsonl", **options)
    assert not (tmp_path / "out.jsonl").exists()


def test_an_export_without_validation_predictions_says_what_it_lacks(task, tmp_path):
    bare = open_finishing(tmp_path, task)
    rows = Predictions(np.arange(2), None, np.array([0, 2]), np.array([[0.75, 0.25, 0.0], [0.25, 0.25, 0.5]]))
    told, review = bare.both(rows)
    assert review is None
    assert told.probabilities == pytest.approx(rows.probabilities)
    assert "validation" not in "".join(summary_lines(bare.tally(told), bare))
    with pytest.raises(InputError, match="needs the validation predictions of the export"):
        open_finishing(tmp_path, task, abstain=["recall[high] >= 0.8"])


def test_scores_have_a_band_around_the_tier_and_no_prevalence(tmp_path):
    section, rule = TASKS["tiered_scores"]
    task = build_task(TypeAdapter(TaskConfig).validate_python(section), ()).with_rule(rule)
    # Tiers are cut at 4.25 and 5.5. Of ten rows of the highest, ⌊11 * 0.3⌋ = 3: the third from below sets the score.
    overall = np.array([3.0, 4.0, 5.0, 5.2, 6.0, 6.5, 7.0, 7.5, 8.0, 9.0])
    named = np.digitize(overall, rule)
    scores = np.column_stack([overall, overall])
    stored = Predictions(
        np.arange(10), np.full(10, 2), named, None, scores, scores, true_overall=overall, predicted_overall=overall
    )
    write_predictions(tmp_path / "predictions.parquet", stored, task.label_space)
    finishing = open_finishing(tmp_path, task, abstain=["recall[high] >= 0.7"])
    fresh = stored.take(np.array([1, 2, 3, 4]))
    assert finishing.both(fresh)[1].tolist() == [[False] * 3, [False, False, True], [False, False, True], [False] * 3]
    assert finishing.costs()[0].found == 0.8
    assert any("overall" in line for line in summary_lines(finishing.tally(fresh), finishing))
    with pytest.raises(InputError, match="needs probabilities"):
        open_finishing(tmp_path, task, prevalence=["high=0.1"])


def test_a_damaged_calibration_is_told(folder, tmp_path):
    path = tmp_path / CALIBRATION_FILE
    path.write_text("{")
    with pytest.raises(RunError, match="must be the calibration that the export wrote"):
        read_calibration(path, LABELS)
    write_calibration(path, Rescaling.identity(2), LabelSpace(("a", "b"), ("b",)), {})
    with pytest.raises(RunError, match=r"must be about the classes of the model, \['low', 'middle', 'high'\]"):
        read_calibration(path, LABELS)


def test_labelled_rows_are_judged_by_the_probabilities_that_predict_gives(folder, tmp_path):
    given = texts(12, seed=8)
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps({"text": text, "label": name}) + "\n" for text, name in zip(given, CLASSES * 4, strict=True))
    )
    found, _ = predict_labelled(folder, path)
    rows, _ = predicted(folder, write_texts(tmp_path / "bare.jsonl", given), tmp_path / "out.jsonl")
    assert found.probabilities == pytest.approx(probabilities(rows), abs=1e-5)
