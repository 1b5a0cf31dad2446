"""The names that Python code imports, on a finished run and on exports, without Ray."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import rarecall
from tests.golden_files import copy_golden
from tests.import_graph import ROOT


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    return copy_golden(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def run(golden):
    return rarecall.load_run(golden / "runs" / "tiers")


@pytest.fixture(scope="module")
def articles(golden):
    return pd.read_json(golden / "articles.jsonl", lines=True)


def expected(golden, folder):
    return [json.loads(line) for line in (golden / f"{folder}_predictions.jsonl").read_text().splitlines()]


def test_every_public_name_exists():
    assert sorted(rarecall._PLACES) == sorted(rarecall.__all__)
    assert all(getattr(rarecall, name) is not None for name in rarecall.__all__)
    assert set(rarecall.__all__) <= set(dir(rarecall))
    with pytest.raises(AttributeError, match="no attribute 'tuna'"):
        _ = rarecall.tuna


def test_importing_it_and_reading_a_run_load_neither_torch_nor_ray(golden):
    code = (
        "import sys, rarecall; run = rarecall.load_run(sys.argv[1]); run.leaderboard(); run.verdicts(); run.winner;"
        "rarecall.evaluate(sys.argv[1]); sys.exit(bool({'torch', 'ray', 'transformers'} & sys.modules.keys()))"
    )
    command = [sys.executable, "-c", code, str(golden / "runs" / "tiers")]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_a_run_tells_what_the_command_line_tells(run, golden):
    told = json.loads((golden / "leaderboard.json").read_text())
    assert run.leaderboard()["trial"].tolist() == [trial["trial"] for trial in told["trials"]]
    assert run.winner == "t0001"
    verdicts = run.verdicts("t0001")
    assert verdicts["criterion"].tolist() == told["run"]["criteria"]
    assert verdicts["value"].tolist() == pytest.approx([one["value"] for one in told["assessment"]["findings"]])
    assert 0 <= verdicts.attrs["joint"] <= 1


def test_predictions_are_rows_with_true_and_predicted(run):
    frame = run.predictions("t0001")
    # 22 of 49 vaporware articles, as the ledger's recall of 44.9 % says.
    vaporware = frame[frame["true"] == "vaporware"]
    assert (len(vaporware), (vaporware["predicted"] == "vaporware").sum()) == (49, 22)


def test_a_trial_that_is_not_there_is_told(run, tmp_path):
    with pytest.raises(rarecall.RunError, match="has no trial 't9'"):
        run.verdicts("t9")
    with pytest.raises(rarecall.RunError):
        rarecall.load_run(tmp_path)


def test_a_run_is_reported_and_diagnosed(run, tmp_path):
    assert "t0001" in run.report(tmp_path / "report.html").read_text()
    assert {"rule", "says", "evidence", "changes"} <= set(run.diagnose().columns)


def test_tables_have_their_columns_where_there_is_nothing_to_tell():
    frame = pd.DataFrame({"true": ["a", "b"], "predicted": ["a", "b"]})
    verdicts = rarecall.evaluate(frame).verdicts()
    assert len(verdicts) == 0
    assert {"criterion", "status", "probability"} <= set(verdicts.columns)


def test_a_run_is_a_table_in_a_notebook(run):
    page = run._repr_html_()
    assert page.count("<table") == 2
    assert "recall[vaporware] &gt;= 0.5" in page
    assert repr(run).endswith("3 trials, winner t0001)")


def test_a_model_gives_the_labels_and_scores_of_predict(golden, articles):
    model = rarecall.load_model(golden / "exported_whole")
    rows = expected(golden, "exported_whole")
    shuffled = articles.sample(frac=1, random_state=0)
    labels = model.predict(shuffled)
    assert labels.index.equals(shuffled.index)
    assert labels.sort_index().tolist() == [row["predicted"] for row in rows]
    scores = model.scores(articles.head(20).to_dict("records"))
    assert scores.columns.tolist() == [*("deployment_maturity", "proof_of_impact", "technical_readiness"), "overall"]
    np.testing.assert_allclose(scores["overall"], [row["predicted.overall"] for row in rows[:20]], atol=2e-5)
    assert model.classes == ("vaporware", "pilot", "commercial")
    with pytest.raises(rarecall.InputError, match=r"has no probabilities \(call scores\(\)\)"):
        model.predict_proba(articles)
    assert "recall[pilot]" in model._repr_html_()


def test_a_model_of_several_labels_takes_texts_alone(golden):
    model = rarecall.load_model(golden / "exported_adapter")
    rows = expected(golden, "exported_adapter")[:30]
    texts = [json.loads(line)["text"] for line in (golden / "labels.jsonl").read_text().splitlines()[:30]]
    assert model.predict(texts).tolist() == [row["predicted"] for row in rows]
    probabilities = model.predict_proba(texts)
    assert probabilities.columns.tolist() == ["mature", "proven", "ready"]
    np.testing.assert_allclose(probabilities["mature"], [row["probability.mature"] for row in rows], atol=2e-5)


def test_a_model_is_judged_on_labelled_rows(golden, articles):
    evaluation = rarecall.load_model(golden / "exported_whole").evaluate(articles)
    # 177 + 18 + 45 articles in all; the criteria are those of its experiment.
    assert evaluation.confusion.to_numpy().sum() == 240
    assert evaluation.verdicts()["criterion"].tolist()[0] == "recall[vaporware] >= 0.5"


def test_rows_that_cannot_be_used_are_told(golden):
    model = rarecall.load_model(golden / "exported_adapter")
    with pytest.raises(rarecall.InputError, match=r"must have text in column 'text', got none"):
        model.predict(["words", " "])
    with pytest.raises(rarecall.InputError, match="column 'text'"):
        model.predict(pd.DataFrame({"body": ["words"]}))
    with pytest.raises(rarecall.InputError, match=r"must be a DataFrame, a datasets.Dataset or a list of dicts"):
        model.predict(3)


def test_predictions_of_ones_own_are_judged():
    frame = pd.DataFrame({"true": ["a"] * 6 + ["b"] * 4, "predicted": ["a"] * 5 + ["b"] + ["b"] * 3 + ["a"]})
    evaluation = rarecall.evaluate(frame, ["recall[b] >= 0.5"])
    # 3 of 4, and one wrong among the 4 that were called b.
    assert evaluation.metrics["recall[b]"] == 0.75
    assert evaluation.metrics["precision[b]"] == 0.75
    assert evaluation.confusion.loc["b", "a"] == 1
    assert evaluation.verdicts()["status"].tolist() == ["undecided"]
    assert "recall[b]" in evaluation._repr_html_()


def test_an_experiment_that_cannot_be_is_told_with_all_its_faults():
    tree = {"name": "x y", "task": {"kind": "multiclas"}, "training": {"epochs": 0}}
    with pytest.raises(rarecall.InputError) as caught:
        rarecall.tune(tree, pd.DataFrame({"text": ["a"], "label": ["b"]}), overrides={"storage.path": "/dev/null/x"})
    assert "data" in str(caught.value) or "training.epochs" in str(caught.value)
