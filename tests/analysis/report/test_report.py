"""What a report says: figures against hand-made ones, and that it holds for every kind of task and for damaged runs."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from rarecall.analysis.calibration.reliability import calibration
from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.errors import InputError, RunError
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.report import of_predictions, of_run, page, write_history, write_report
from rarecall.analysis.report.history import HISTORY_NAME, METADATA_NAME
from rarecall.analysis.report.html.drawing.scale import Scale, around
from rarecall.analysis.report.parameters import effects, spearman
from rarecall.analysis.report.row_list import rare_rows
from rarecall.analysis.runs.ledger import LEDGER_NAME, Ledger, read_ledger
from rarecall.analysis.runs.ranking.standings import standings
from rarecall.analysis.uncertainty.intervals import exact

VOID = {"br", "col", "input", "meta"}
OUTSIDE = re.compile(r"""(?:src|href|action|srcset)\s*=\s*["'](?!#)|@import|url\(|fetch\(|XMLHttpRequest|https?://""")


class _Balance(HTMLParser):
    """Complains about elements that are not closed in order, and about ids used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def sound(text: str) -> str:
    """The page itself, found to be well-formed, with unique ids and asking for nothing outside."""
    parser = _Balance()
    parser.feed(text)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert OUTSIDE.findall(text) == []
    return text


def titles(text: str) -> list[str]:
    return re.findall(r"<h2[^>]*>([^<]*)</h2>", text)


@pytest.fixture
def stored(write_ledger, rows, tiered_predictions, tiers) -> Path:
    """A run of one trial whose predictions lie where the ledger says."""
    predictions = tiered_predictions(1.0, 3)
    epoch = rows.epoch("t00", 1, evaluate(predictions, tiers), confusion=confusion_matrix(predictions, tiers))
    folder = write_ledger(rows.run(), rows.trial("t00", **{"training.loss.gamma": 2.0}), epoch, rows.end("t00"))
    write_predictions(folder / "predictions/t00.parquet", predictions, tiers)
    return folder


def test_report_of_a_run_with_predictions_has_all_its_sections(stored: Path) -> None:
    text = sound(page(of_run(read_ledger(stored))))
    assert titles(text) == [
        "Verdict",
        "Leaderboard",
        "Recall per class",
        "Confusion matrix",
        "Error per dimension",
        "Predicted against true score",
        "Thresholds",
        "Rare rows one by one",
        "Rows behind the confusions",
        "Training",
        "How this was made",
    ]
    assert "Probability that the true values meet all criteria at once" in text


def test_report_without_predictions_is_made_from_the_ledger(twelve_trials: Path) -> None:
    report = of_run(read_ledger(twelve_trials))
    text = sound(page(report))
    assert report.evaluation is None
    assert "the stored predictions of this trial cannot be read" in text
    assert {"Recall per class", "Confusion matrix", "Parameters", "Parallel coordinates"} <= set(titles(text))
    assert "Rare rows one by one" not in titles(text)
    assert "What could not be read: 1 item" in text
    # The counts behind the recall stand in the confusion matrix.
    hits = report.confusion[3][3]
    assert report.intervals["recall[deployed_proven]"] == exact(hits, 3)


def test_run_without_any_epoch_says_so(write_ledger, rows) -> None:
    text = sound(page(of_run(read_ledger(write_ledger(rows.run(), rows.trial("t00"), rows.end("t00", "failed"))))))
    assert "There is no winner: no trial has finished an epoch." in text


def test_run_without_criteria_names_its_best_trial(write_ledger, rows, tiers, tiered_predictions) -> None:
    metrics = evaluate(tiered_predictions(1.0, 3), tiers)
    folder = write_ledger(rows.run(criteria=()), rows.trial("t00"), rows.epoch("t00", 1, metrics), rows.end("t00"))
    assert "is held against no criteria" in sound(page(of_run(read_ledger(folder))))


def test_finalists_are_told_and_name_the_winner(write_ledger, rows) -> None:
    labels = LabelSpace(("common", "rare"), ("rare",))

    def found(hits: int) -> Predictions:
        predicted = np.array([0] * 20 + [1] * hits + [0] * (5 - hits))
        return Predictions(np.arange(25), np.array([0] * 20 + [1] * 5), predicted)

    run = rows.run(labels=labels, criteria=("recall[common] >= 0.5",))
    told = [run]
    for trial, hits in (("lucky", 5), ("steady", 4)):
        told += [rows.trial(trial), rows.epoch(trial, 1, evaluate(found(hits), labels)), rows.end(trial)]
    folder = write_ledger(*told)
    with Ledger(folder / "finalists" / LEDGER_NAME) as ledger:
        ledger.append({**run, "finalists": {"count": 2, "folds": 2}})
        for trial, hits in (("lucky", 1), ("steady", 4)):
            for fold in (1, 2):
                name = f"{trial}-{fold}"
                write_predictions(folder / f"finalists/{name}.parquet", found(hits), labels)
                ledger.append(rows.trial(name, finalist=trial, fold=fold))
                metrics = evaluate(found(hits), labels)
                ledger.append(rows.epoch(name, 1, metrics, predictions=f"{name}.parquet"))
                ledger.append(rows.end(name))
    text = sound(page(of_run(read_ledger(folder))))
    assert "The winner, trial steady at epoch 1," in text
    section = text[text.index('id="finalists"') : text.index('id="leaderboard"')]
    assert section.index("steady") < section.index("lucky")
    # 4 of 5 on each of two folds, and 1 of 5.
    assert "80.0 %" in section
    assert "20.0 %" in section


def test_nothing_of_the_data_becomes_markup(write_ledger, rows) -> None:
    evil = "<script>alert(1)</script>"
    labels = LabelSpace(("common", evil), (evil,))
    predictions = Predictions(np.arange(6), np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 1, 0]))
    metrics = evaluate(predictions, labels)
    counts = confusion_matrix(predictions, labels)
    run = rows.run(labels=labels, criteria=("accuracy >= 0.5",), name=f"{evil} $title")
    folder = write_ledger(
        run, rows.trial("t1", **{evil: evil}), rows.epoch("t1", 1, metrics, confusion=counts), rows.end("t1")
    )
    write_predictions(folder / "predictions/t1.parquet", predictions, labels)
    report = replace(of_run(read_ledger(folder)), texts={4: f'{evil} "quoted" &amp;', 5: "plain"})
    text = sound(page(report))
    assert evil not in text
    assert '&lt;script&gt;alert(1)&lt;/script&gt; "quoted" &amp;amp;' in text


def test_texts_are_shown_only_where_given(stored: Path) -> None:
    run = read_ledger(stored)
    assert "Texts are left out" in page(of_run(run))
    shown = page(of_run(run, {208: "a text of the rarest tier"}))
    assert "a text of the rarest tier" in shown
    assert "Texts are left out" not in shown


def multiclass() -> tuple[Predictions, LabelSpace]:
    generator = np.random.default_rng(0)
    true = np.repeat(np.arange(3), (80, 15, 5))
    probabilities = generator.dirichlet(np.ones(3), 100) * 0.4 + 0.6 * np.eye(3)[true]
    labels = LabelSpace(("ham", "spam", "phish"), ("spam", "phish"))
    slices = {"script": np.array(["native", "romaji"] * 50, dtype=object)}
    return Predictions(np.arange(100), true, probabilities.argmax(axis=1), probabilities, slices=slices), labels


def multilabel() -> tuple[Predictions, LabelSpace]:
    generator = np.random.default_rng(0)
    true = generator.random((60, 3)) < (0.5, 0.2, 0.1)
    predicted = true ^ (generator.random((60, 3)) < 0.1)
    labels = LabelSpace(("insult", "threat", "doxing"), ("threat", "doxing"), multilabel=True)
    return Predictions(
        np.arange(60), probabilities=predicted * 0.9, true_labels=true, predicted_labels=predicted
    ), labels


@pytest.mark.parametrize(
    ("made", "criterion", "expected"),
    [
        (multiclass, "recall[phish] >= 0.4", {"Calibration", "Confusion matrix", "Parts of the data"}),
        (multilabel, "recall[*] >= 0.4", {"Calibration", "Confusion per label"}),
    ],
)
def test_predictions_of_each_kind_have_a_report(
    made: Callable[[], tuple[Predictions, LabelSpace]], criterion: str, expected: set[str]
) -> None:
    predictions, labels = made()
    text = sound(page(of_predictions("theirs.csv", predictions, labels, [parse(criterion, labels.minority)])))
    assert {"Verdict", "Recall per class", "Rare rows one by one", *expected} <= set(titles(text))
    assert "Leaderboard" not in titles(text)
    assert "Error per dimension" not in titles(text)


def test_rare_rows_show_misses_first_and_the_farthest_off_before_the_others() -> None:
    labels = LabelSpace(("low", "high"), ("high",), dimensions=("score",))
    scores = np.array([[1.0], [9.0], [8.5], [9.5], [9.0]])
    predicted = np.array([[1.0], [2.0], [4.0], [9.0], [7.0]])
    predictions = Predictions(
        np.array([10, 11, 12, 13, 14]),
        np.array([0, 1, 1, 1, 1]),
        np.array([0, 0, 0, 1, 1]),
        true_scores=scores,
        predicted_scores=predicted,
        true_overall=scores[:, 0],
        predicted_overall=predicted[:, 0],
    )
    found = rare_rows(predictions, labels, "high")
    assert [(one.row, one.true, one.predicted, one.hit, one.error) for one in found] == [
        (11, "high", "low", False, -7.0),
        (12, "high", "low", False, -4.5),
        (14, "high", "high", True, -2.0),
        (13, "high", "high", True, -0.5),
    ]


def test_calibration_by_hand() -> None:
    # Bins 0.0-0.1, 0.5-0.6 and 0.9-1.0; the last one holds 1.0 as well.
    probability = np.array([0.05, 0.05, 0.5, 0.55, 0.95, 1.0])
    truth = np.array([False, False, True, False, True, True])
    found = calibration(probability, truth)
    assert [(one.hits, one.rows) for one in found.bins] == [(0, 2), (1, 2), (2, 2)]
    assert [one.mean_probability for one in found.bins] == pytest.approx([0.05, 0.525, 0.975])
    # (0.05² · 2 + 0.5² + 0.55² + 0.05² + 0) / 6
    assert found.brier == pytest.approx((0.005 + 0.25 + 0.3025 + 0.0025) / 6)
    # (2 · 0.05 + 2 · 0.025 + 2 · 0.025) / 6
    assert found.gap == pytest.approx(0.2 / 6)
    assert found.bins[1].interval == exact(1, 2)


def test_calibration_without_rows_is_refused() -> None:
    with pytest.raises(ValueError, match="calibration needs rows, got none"):
        calibration(np.array([]), np.array([], dtype=bool))


def test_rank_correlation_is_that_of_scipy() -> None:
    generator = np.random.default_rng(1)
    first = generator.normal(size=40)
    second = first + generator.normal(size=40)
    found, interval = spearman(first, second)
    assert found == pytest.approx(spearmanr(first, second).statistic)
    assert interval.low < found < interval.high


def test_rank_correlation_interval_covers_the_true_value() -> None:
    # Of a normal pair with correlation 0.5, Spearman's is 6 / π · asin(0.5 / 2) = 0.4826.
    generator = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        pairs = generator.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 50)
        held += spearman(pairs[:, 0], pairs[:, 1])[1].holds(6 / np.pi * np.arcsin(0.25))
    assert 0.87 <= held / 400 <= 0.94


def searched(write_ledger, rows, trials: int, effect: float) -> Path:
    """Trials whose minority recall depends on the ratio, by `effect`, and not on the rank."""
    generator = np.random.default_rng(3)
    told = [rows.run(criteria=("accuracy >= 0.5",))]
    for number in range(trials):
        ratio, rank = float(generator.uniform(0, 0.3)), int(generator.choice([8, 16]))
        recall = 0.3 + effect * ratio + float(generator.normal(0, 0.03))
        loss = {"training.loss.name": str(generator.choice(["focal", "mse"]))} if number % 3 else {}
        params = {"training.oversampling.ratio": ratio, "model.lora.rank": rank, **loss}
        told += [
            rows.trial(f"t{number:03d}", **params),
            rows.epoch(f"t{number:03d}", 1, {"minority_recall": recall, "accuracy": 0.8, "macro_f1": 0.5}),
            rows.end(f"t{number:03d}"),
        ]
    return write_ledger(*told)


def test_importance_finds_the_parameter_that_matters(write_ledger, rows) -> None:
    found = effects(standings(read_ledger(searched(write_ledger, rows, 60, 1.0))))
    first, *others = found.effects
    assert (first.path, first.mitigation) == ("training.oversampling.ratio", True)
    assert first.rank_correlation > 0.8
    assert found.held_out > 0.6
    assert first.importance > 0.5 > max(abs(one.importance) for one in others)
    # Names have no rank, and a parameter that a third of the trials lacks is told for the others.
    (names,) = (one for one in others if one.path == "training.loss.name")
    assert np.isnan(names.rank_correlation)
    assert names.values.count(None) == 20


def test_importance_of_nothing_is_not_told(write_ledger, rows) -> None:
    folder = searched(write_ledger, rows, 60, 0.0)
    assert effects(standings(read_ledger(folder))).held_out <= 0
    text = sound(page(of_run(read_ledger(folder))))
    assert "no better than the mean does: no importances" in text


def test_few_trials_grow_no_forest(write_ledger, rows) -> None:
    folder = searched(write_ledger, rows, 12, 1.0)
    assert np.isnan(effects(standings(read_ledger(folder))).held_out)
    assert "too few for a random forest" in page(of_run(read_ledger(folder)))


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 250.0), (1e-6, 4e-6), (0.0, 0.37)])
def test_ticks_lie_within_and_are_few(low: float, high: float) -> None:
    ticks = Scale(low, high, 0, 100).ticks()
    assert 2 <= len(ticks) <= 10
    assert low <= ticks[0] < ticks[-1] <= high + 1e-12


def test_scale_around_equal_values_has_room() -> None:
    scale = around([2.0, 2.0, float("nan")], 0, 10)
    assert scale(2.0) == 5.0


def test_report_is_written_whole_or_not_at_all(stored: Path, tmp_path: Path) -> None:
    report = of_run(read_ledger(stored))
    write_report(tmp_path / "new/report.html", report)
    assert (tmp_path / "new/report.html").read_text(encoding="utf-8") == page(report)
    with pytest.raises(RunError, match=r"the report cannot be written: .* \(name another file with -o\)"):
        write_report(tmp_path / "new", report)
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_history_has_every_epoch_and_dimension(twelve_trials: Path, tmp_path: Path, tiers: LabelSpace) -> None:
    report = of_run(read_ledger(twelve_trials))
    write_history(tmp_path / "out", report)
    history = json.loads((tmp_path / "out" / HISTORY_NAME).read_text())
    record = report.chosen.record
    assert [epoch["epoch"] for epoch in history["epochs"]] == [row.epoch for row in record.epochs]
    assert [epoch["train_loss"] for epoch in history["epochs"]] == [row.train_loss for row in record.epochs]
    last, row = history["epochs"][-1], record.epochs[-1]
    assert last["validation_mae"] == {name: row.metrics[f"mae[{name}]"] for name in tiers.dimensions}
    metadata = json.loads((tmp_path / "out" / METADATA_NAME).read_text())
    assert (metadata["trial"], metadata["params"]) == (record.trial, record.params)


def test_history_has_the_training_rows_where_the_ledger_has_them(write_ledger, rows, tmp_path: Path) -> None:
    training = {"mae": 0.4, "mae[evidence]": 0.3, "mae[evidence]@source=a": 0.1, "minority_recall": 0.9}
    metrics = {"mae": 0.6, "mae[evidence]": 0.5}
    epochs = [rows.epoch("t00", 1, metrics, train_metrics=training), rows.epoch("t00", 2, metrics)]
    write_history(tmp_path, of_run(read_ledger(write_ledger(rows.run(), rows.trial("t00"), *epochs, rows.end("t00")))))
    first, second = json.loads((tmp_path / HISTORY_NAME).read_text())["epochs"]
    assert first["train"] == training
    assert first["train_mae"] == {"evidence": 0.3}
    assert first["validation_mae"] == {"evidence": 0.5}
    assert "train" not in second
    assert "train_mae" not in second


def test_history_needs_a_run(tmp_path: Path) -> None:
    predictions, labels = multiclass()
    with pytest.raises(InputError, match="must be a run"):
        write_history(tmp_path, of_predictions("theirs.csv", predictions, labels, []))
