"""Baselines before the first trial of a run, once, unless they are not wanted; and alone."""

import contextlib
import io
import json

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from rich.console import Console
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from rarecall.analysis.errors import RunError
from rarecall.analysis.predictions.parquet_file import read_predictions
from rarecall.search.cli import rarecall
from rarecall.search.engine import launch as launching
from rarecall.search.engine.launch import LaunchOptions, launch
from rarecall.search.experiment.opening import open_experiment
from rarecall.search.export.command import ExportOptions, export_trial

GAMMA = "training.loss.gamma"
NAMES = ["baseline-majority", "baseline-tfidf", "baseline-features", "baseline-features-weighted"]


@pytest.fixture
def path(tmp_path):
    rows = [{"text": f"{'engine' if i % 4 == 0 else 'rain'} in town {i}", "label": f"{i % 4 == 0}"} for i in range(80)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tree = {
        "name": "small",
        "data": {"path": "rows.jsonl", "label": "label", "max_train_rows": 12},
        "task": {"kind": "multiclass"},
        "model": {"base": "tiny-bert", "max_length": 16},
        "search": {"trials": 1},
    }
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(tree))
    return tmp_path / "experiment.yaml"


@pytest.fixture
def launched(path, tmp_path, monkeypatch):
    """Launches the experiment up to where its trials would begin; gives the run and what was told."""
    monkeypatch.setattr(launching, "ray_session", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(launching._Search, "run", lambda *_: None)
    monkeypatch.setattr(launching, "layout", lambda *_, **__: None)

    def started(*, resume=False, **overrides):
        told = io.StringIO()
        options = LaunchOptions(tmp_path / "runs" / "small", resume=resume)
        run = launch(open_experiment(path, overrides=overrides), options, Console(file=told, width=200))
        return run, told.getvalue()

    return started


def test_they_are_rows_of_the_run_with_their_predictions(launched):
    run, told = launched()
    assert list(run.baselines) == NAMES
    assert run.trials == {}
    assert "baseline-majority           minority_recall 0.0 %, 0 s (the largest class for every row)" in told
    for name, row in run.baselines.items():
        assert row.predictions == f"baselines/{name}.parquet"
        assert len(read_predictions(run.resolve(row.predictions), run.labels)) == 8
        assert row.train_rows == 64  # not the sample of 12
    assert run.baselines["baseline-tfidf"].metrics["recall[true]"] == 1.0


def test_a_resumed_run_makes_those_that_it_lacks(launched):
    run, _ = launched()
    ledger = run.folder / "ledger.jsonl"
    lines = ledger.read_text().splitlines(keepends=True)
    ledger.write_text("".join(line for line in lines if "baseline-tfidf" not in line))
    again, told = launched(resume=True)
    assert sorted(again.baselines) == sorted(NAMES)
    assert [name for name in NAMES if f"{name} " in told] == ["baseline-tfidf"]
    assert again.problems == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["multiclass", "ordinal"])
def test_a_head_on_frozen_features_is_exported_like_any_trial(launched, tmp_path, kind):
    task = {"task.kind": kind} | ({"task.classes": ["False", "True"]} if kind == "ordinal" else {})
    run, _ = launched(**task)
    name = "baseline-features-weighted"
    stored = read_predictions(run.resolve(run.baselines[name].predictions), run.labels)
    told = CliRunner().invoke(rarecall, ["export", str(run.folder), "-o", str(tmp_path / "head"), "--trial", name])
    assert told.exit_code in (0, 3), told.output
    assert "reloaded in a fresh process: the same validation predictions" in told.output
    # A stock model: transformers alone, with nothing of ours, gives the stored probabilities.
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "head")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "head").eval()
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    texts = [json.loads(lines[row])["text"] for row in stored.rows.tolist()]
    with torch.inference_mode():
        found = model(**tokenizer(texts, padding=True, return_tensors="pt")).logits.softmax(dim=1).numpy()
    np.testing.assert_allclose(found, stored.probabilities, atol=0.05)
    with pytest.raises(RunError, match="is no head of the base model"):
        export_trial(ExportOptions(run.folder, tmp_path / "words", trial="baseline-tfidf"), Console(quiet=True))


@pytest.mark.timeout(300)
def test_the_best_head_of_a_screen_is_a_trial(launched, tmp_path):
    rule = {"training.decision_rule.fit": True}
    run, told = launched(**{"search.screen": 16, "search.baselines": False}, **rule)
    assert run.screen.configurations == 16
    assert run.screen.train_rows == 64
    assert set(run.screen.matters) == {"training.oversampling.ratio", "training.class_weights.strength", GAMMA}
    assert "screen: 16 mitigations on frozen features of 64 rows" in told
    head = run.trials["head"]
    assert (head.origin, head.status, head.params["model.adapter"]) == ("screen", "completed", "head")
    assert head.params.items() >= run.screen.best[0].params.items()
    assert not head.searched
    assert head.epochs[0].rows_seen == 64
    out = CliRunner().invoke(rarecall, ["export", str(run.folder), "-o", str(tmp_path / "head"), "--trial", "head"])
    assert "reloaded in a fresh process: the same validation predictions" in out.output, out.output
    # A second session neither screens again nor counts the head among the trials that were asked for.
    again, told = launched(resume=True, **{"search.screen": 16, "search.baselines": False}, **rule)
    assert "screen" not in told
    assert again.screen == run.screen


def test_they_can_be_left_out(launched, tmp_path):
    run, told = launched(**{"search.baselines": False})
    assert run.baselines == {}
    assert "baseline" not in told
    assert not (tmp_path / "runs" / "small" / "baselines").exists()


def test_a_quick_look_goes_without_and_one_training_has_them(path):
    quick = open_experiment(path, quick=True).experiment
    assert quick.search.baselines is False
    plain = open_experiment(path)
    assert plain.without_search().experiment.search.baselines is True
    without = open_experiment(path, overrides={"search.baselines": False})
    assert without.without_search().experiment.search.baselines is False


def test_alone_they_are_told_and_written_nowhere(path, tmp_path):
    ran = CliRunner().invoke(rarecall, ["baseline", str(path), "--test", "--json"])
    assert ran.exit_code == 0, ran.output
    told = json.loads(ran.stdout)
    assert sorted(one["baseline"] for one in told) == sorted(NAMES)
    words = next(one for one in told if one["baseline"] == "baseline-tfidf")
    assert (words["metrics"]["support[true]"], words["test_metrics"]["recall[true]"]) == (2, 1.0)
    assert not (tmp_path / "runs").exists()
    text = CliRunner().invoke(rarecall, ["baseline", str(path), "--set", "data.split.test=0", "--test"])
    assert text.exit_code == 0, text.output
    assert "Baselines, fitted to all 72 training rows and judged as trials are:" in text.stdout
    assert "On the test split" not in text.stdout
