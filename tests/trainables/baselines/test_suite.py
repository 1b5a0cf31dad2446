"""All baselines of an experiment, for every kind of task, on all training rows whatever sample trials take."""

import json

import numpy as np
import pytest
from sklearn.metrics import recall_score

from rarecall.analysis.criteria.goal import Goal
from rarecall.trainables.baselines.rows import baseline_rows
from rarecall.trainables.baselines.suite import Skipped, baselines
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import load_processor

OPENINGS = {"common": "rain and wind in", "rare": "a steam engine at", "odd": "two violins from"}
SCORES = {"common": 2.0, "rare": 5.0, "odd": 9.0}
TIERED = {"kind": "tiered_scores", "dimensions": {"x": {}, "y": {}}, "tiers": {"low": 0, "mid": 4, "high": 7}}
TASKS = {
    "multiclass": {"kind": "multiclass"},
    "ordinal": {"kind": "ordinal", "classes": ["common", "rare", "odd"]},
    "cumulative": {"kind": "ordinal", "classes": ["common", "rare", "odd"], "link": "cumulative"},
    "multilabel": {"kind": "multilabel", "labels": ["common", "rare", "odd"]},
    "tiered_scores": TIERED,
    "two_stage": {**TIERED, "two_stage": {"rare": "high"}},
    "instruction": {**TIERED, "instruction": {"prompt": "{text}"}},
}
ALL = ["baseline-majority", "baseline-tfidf", "baseline-features", "baseline-features-weighted"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """120 rows of which words give the class away: 80 common, 24 rare, 16 odd."""
    folder = tmp_path_factory.mktemp("baselines")
    names = ["common"] * 80 + ["rare"] * 24 + ["odd"] * 16
    with (folder / "rows.jsonl").open("w") as file:
        for i, name in enumerate(names):
            row = {"text": f"{OPENINGS[name]} the town {i}", "label": name, "x": SCORES[name], "y": SCORES[name]}
            file.write(json.dumps(row) + "\n")
    return folder


def fitted(folder, task, data=(), base="tiny-bert", known=()):
    scored = TASKS[task]["kind"] == "tiered_scores"
    sections = {"path": "rows.jsonl", "split": {"validation": 0.25, "test": 0.25}} | (
        {} if scored else {"label": "label"}
    )
    config = TrialConfig.model_validate(
        {
            "data": sections | dict(data),
            "task": TASKS[task],
            "model": {"base": base, "max_length": 64 if task == "instruction" else 16},
            "training": {"decision_rule": {"folds": 2}},
        }
    )
    model = resolve_base(base)
    prepared = prepare(config, load_processor(model), base=folder)
    rows = baseline_rows(config, folder, prepared)
    return rows, prepared, list(baselines(config, rows, prepared.task, model, Goal(), known))


@pytest.mark.parametrize("task", [name for name in TASKS if name != "instruction"])
def test_every_kind_of_task_has_all_of_them(folder, task):
    rows, prepared, found = fitted(folder, task)
    assert [one.name for one in found] == ALL
    majority, words, *_ = found
    largest, minority = majority.predictions, prepared.task.label_space.minority
    if task == "multilabel":
        assert largest.predicted_labels.tolist() == [[True, False, False]] * len(largest)
    else:
        assert set(largest.predicted_class) == {0}
    assert majority.metrics["minority_recall"] == 0.0
    # Words give all away; recall of the test rows as scikit-learn has it.
    test = words.predict(rows.test)
    if task == "multilabel":
        pairs = [(test.true_labels[:, i], test.predicted_labels[:, i]) for i in (1, 2)]
        recall = np.mean([recall_score(*pair) for pair in pairs])
    else:
        recall = recall_score(test.true_class, test.predicted_class, labels=[1, 2], average="macro", zero_division=0)
    assert len(minority) == 2
    assert recall >= 0.9
    assert words.metrics["minority_recall"] >= 0.9
    for one in found:
        np.testing.assert_array_equal(np.sort(one.predictions.rows), np.sort(prepared.validation.rows))
        assert one.train_rows == 60


def test_one_that_writes_answers_has_them_written(folder):
    _, prepared, found = fitted(folder, "instruction", base="tiny-qwen2")
    *written, skipped = found
    assert [one.name for one in written] == ALL[:2]
    assert skipped == Skipped(ALL[2], "a model that writes has no head whose input could be read")
    assert written[1].predictions.unreadable.tolist() == [None] * len(prepared.validation)
    assert written[1].metrics["minority_recall"] >= 0.9


def test_all_training_rows_are_used_where_trials_take_a_sample(folder):
    rows, prepared, found = fitted(folder, "multiclass", {"max_train_rows": 10}, known=ALL[1:])
    assert (len(prepared.train), len(rows.train)) == (10, 60)
    assert [(one.name, one.train_rows) for one in found] == [(ALL[0], 60)]


def test_with_folds_they_are_judged_by_the_rows_of_the_trials(folder):
    rows, prepared, found = fitted(folder, "multiclass", {"folds": 3, "max_train_rows": 20}, known=(ALL[0], *ALL[2:]))
    judged = np.concatenate([prepared.train.rows, prepared.validation.rows])
    np.testing.assert_array_equal(np.sort(found[0].predictions.rows), np.sort(judged))
    everything = np.arange(len(rows.train) + len(rows.validation))
    for inside, outside in rows.folds:
        assert not set(inside) & set(outside)
    # Rows that the sample leaves out are training rows of every fold.
    for inside, outside in rows.folds[1:]:
        np.testing.assert_array_equal(np.sort(np.concatenate([inside, outside])), everything)


def test_features_come_from_disk_the_second_time(folder, monkeypatch):
    fitted(folder, "multiclass", known=ALL[:2])

    def refuse(*_, **__):
        raise AssertionError("the model was loaded again")

    monkeypatch.setattr("rarecall.trainables.baselines.suite.load_classifier", refuse)
    *_, found = fitted(folder, "multiclass", known=ALL[:2])
    assert [one.name for one in found] == ALL[2:]


def test_what_cannot_be_fitted_is_told(folder, monkeypatch):
    def fails(*_):
        raise ValueError("no words")

    monkeypatch.setattr("rarecall.trainables.baselines.suite.fit_baseline", fails)
    *_, found = fitted(folder, "multiclass", known=(ALL[0], *ALL[2:]))
    assert found == [Skipped(ALL[1], "no words")]
