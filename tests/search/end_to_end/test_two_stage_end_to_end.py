"""The two-stage technology filter with words beside it, from articles to predictions of its export, without Ray."""

import json
import re
from dataclasses import asdict

import numpy as np
import pytest
import torch
import yaml
from rich.console import Console

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.runs.ledger import Ledger
from rarecall.search.experiment.schema import load_experiment
from rarecall.search.export.command import ExportOptions, export_trial
from rarecall.search.predict.command import PredictOptions, predict
from rarecall.search.predict.labelled import predict_labelled
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.demo.articles import write_articles
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import ClassifierPool, load_processor
from rarecall.trainables.training.loop import train
from rarecall.trainables.training.worker import Worker
from tests.test_experiment_files import FILES

KEYWORDS = [
    {"pattern": ".", "dimension": "proof_of_impact", "at_least": 5.5},
    {"pattern": r"\bplan(s|ned)?\b", "at_most": 3.9},
]
DIMENSIONS = ("deployment_maturity", "proof_of_impact", "technical_readiness")
WEIGHTS = (0.5, 0.3, 0.2)


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained_run(folder, keywords_on):
    """A run of one trial and one epoch, with the ledger that a search would have written; gives its epoch."""
    path = next(path for path in FILES if path.stem == "technology_filter_two_stage")
    settings = {
        "data.path": str(folder / "articles.jsonl"),
        "data.split": {"validation": 0.5, "test": 0.1, "seed": 1},
        "task.keywords": KEYWORDS,
        "model": {"base": "tiny-bert", "adapter": "none", "max_length": 24, "lora": {"layers": "all"}},
        "training.epochs": 1,
        "training.precision": "fp32",
        "training.decision_rule": {"fit": True, "folds": 2, "keywords": keywords_on},
    }
    loaded = load_experiment(path, settings)
    config, base = loaded.experiment, resolve_base("tiny-bert")
    data = prepare(config, load_processor(base), base=loaded.folder)
    pool = ClassifierPool(base, data.task.output_names, data.pad_id)
    (epoch,) = train(config, data, pool, Worker(), goal=Goal.of(config.criteria, data.task.label_space.minority))
    run = folder / "run"
    run.mkdir()
    (run / "experiment.yaml").write_text(yaml.safe_dump(loaded.tree_for_run(), sort_keys=False))
    epoch.save(run / "checkpoint")
    write_predictions(run / "predictions.parquet", epoch.predictions, data.task.label_space)
    header = {
        "run_id": "r1",
        "name": config.name,
        "criteria": config.criteria,
        "objective": config.objective,
        "labels": asdict(data.task.label_space),
        "class_counts": data.class_counts,
        "data_hash": data.data_hash,
        "versions": {},
        "trials_asked": 1,
        "seed": 0,
    }
    row = {
        "trial": "t0001",
        "epoch": 1,
        "metrics": epoch.metrics,
        "confusion": epoch.confusion,
        "train_loss": epoch.train_loss,
        "seconds": 1.0,
        "peak_memory_mb": 0.0,
        "checkpoint": "checkpoint",
        "predictions": "predictions.parquet",
        "score": 0.0,
        "rule": list(epoch.rule),
    }
    with Ledger(run / "ledger.jsonl") as ledger:
        ledger.append({"kind": "run", **header})
        ledger.append({"kind": "trial", "trial": "t0001", "params": {}})
        ledger.append({"kind": "epoch", **row})
    return epoch


def predicted(folder):
    """What `rarecall predict` says of every article: scores [n, 3], overall scores [n] and tiers."""
    output = folder / "predicted.jsonl"
    predict(PredictOptions(folder / "model", folder / "articles.jsonl", output), Console(quiet=True))
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    scores = np.array([[row[f"predicted.{name}"] for name in DIMENSIONS] for row in rows])
    return scores, np.array([row["predicted.overall"] for row in rows]), [row["predicted"] for row in rows]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("keywords_on", [True, False])
def test_training_export_and_prediction_decide_alike(tmp_path, one_thread, keywords_on):
    write_articles(tmp_path / "articles.jsonl", count=400)
    epoch = trained_run(tmp_path, keywords_on)
    *cuts, threshold = epoch.rule
    stored = epoch.predictions
    export_trial(ExportOptions(tmp_path / "run", tmp_path / "model", force=True), Console(quiet=True))
    rule = json.loads((tmp_path / "model" / "decision_rule.json").read_text())
    assert rule["two_stage"] == {"rare": "deployed_proven", "threshold": threshold}
    assert rule["cuts"][1:] == cuts
    assert [keyword["at_most"] for keyword in rule["keywords"]] == ([None, 3.9] if keywords_on else [])

    scores, overall, tiers = predicted(tmp_path)
    np.testing.assert_allclose(scores[stored.rows], stored.predicted_scores, atol=1e-3)
    articles = [json.loads(line) for line in (tmp_path / "articles.jsonl").read_text().splitlines()]
    texts = [f"{article['title']}\n{article['text']}" for article in articles]
    planned = np.array([bool(re.search(r"\bplan(s|ned)?\b", text, re.IGNORECASE)) for text in texts]) & keywords_on
    assert (scores[:, 1] >= 5.5).all() == keywords_on
    assert (overall[planned] <= 3.9).all()
    # Elsewhere the overall score is that of the scores, or the middle of the rare tier where stage 1 named the row.
    moved = np.abs(overall - scores @ WEIGHTS) > 1e-5
    np.testing.assert_allclose(overall[moved & ~planned], (cuts[-1] + 10) / 2, atol=1e-5)
    names = ("vaporware", "pilot", "early_commercial", "deployed_proven")
    assert tiers == [names[i] for i in np.searchsorted(cuts, overall, side="right")]

    measured, labels = predict_labelled(tmp_path / "model", tmp_path / "articles.jsonl")
    assert [labels.classes[i] for i in measured.predicted_class] == tiers
