"""Programs that know no decision rule give the labels of `rarecall predict`: transformers' own pipeline, here."""

import json

import numpy as np
import pytest
from transformers import pipeline

from rarecall.search.experiment.schema import load_experiment
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.exported.predictor import open_predictor
from tests.exported_folder import CLASSES, LORA, WHOLE, export_folder, texts


def predicted(folder, inputs):
    predictor = open_predictor(folder, load_experiment(folder / "experiment.yaml").experiment, 16)
    rows = np.arange(len(inputs))
    nobody_knows = np.zeros((len(inputs), len(CLASSES)), dtype=bool)
    return predictor.predictions(predictor.encode(Examples(rows, tuple(inputs), rows * 0, labels=nobody_knows)))


@pytest.mark.parametrize(("model", "merge"), [(WHOLE, False), (LORA, True)], ids=["whole", "merged"])
def test_a_pipeline_names_the_classes_of_predict(tmp_path, model, merge):
    task, inputs = export_folder(tmp_path / "model", "multiclass", model, merge=merge), texts(200)
    ours = predicted(tmp_path / "model", inputs)
    told = pipeline("text-classification", model=str(tmp_path / "model"))(inputs, truncation=True, max_length=32)
    assert [one["label"] for one in told] == [CLASSES[i] for i in ours.predicted_class]
    # Without the rule in its head, some would be others: probabilities are those of the trial still.
    plain = ours.probabilities.argmax(axis=1)
    assert (plain != ours.predicted_class).sum() > 5
    assert json.loads((tmp_path / "model" / "decision_rule.json").read_text())["head_shift"] == list(task.offsets)


def test_a_pipeline_gives_the_labels_of_predict_where_rows_have_several(tmp_path):
    export_folder(tmp_path / "model", "multilabel")
    inputs = texts(200)
    ours = predicted(tmp_path / "model", inputs)
    # Thresholds 0.3, 0.5, 0.7 are one half now; a softmax over the labels, as without a problem type, is no answer.
    told = pipeline("text-classification", model=str(tmp_path / "model"), top_k=None)(
        inputs, truncation=True, max_length=32
    )
    given = [{one["label"] for one in row if one["score"] > 0.5} for row in told]
    wanted = [{name for name, there in zip(CLASSES, row, strict=True) if there} for row in ours.predicted_labels]
    assert given == wanted
    assert len(set(map(frozenset, wanted))) > 3


@pytest.mark.parametrize(("task", "problem"), [("tiered_scores", "regression"), ("two_stage", "regression")])
def test_scores_are_no_shares(tmp_path, task, problem):
    export_folder(tmp_path / "model", task)
    assert json.loads((tmp_path / "model" / "config.json").read_text())["problem_type"] == problem
    assert "head_shift" not in json.loads((tmp_path / "model" / "decision_rule.json").read_text())
