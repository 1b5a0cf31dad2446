"""The two-stage technology filter with words beside it, from articles to predictions through the real command line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.ledger import read_ledger
from analysis.predictions_file import read_predictions
from trainables.articles import write_articles

COMMAND = Path(sys.executable).with_name("rarecall")
EXPERIMENT = Path(__file__).parents[2] / "experiments" / "technology_filter_two_stage.yaml"
KEYWORDS = [
    {"pattern": ".", "dimension": "proof_of_impact", "at_least": 5.5},
    {"pattern": r"\bplan(s|ned)?\b", "at_most": 3.9},
]


def rarecall(folder, *arguments):
    done = subprocess.run(
        [COMMAND, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.timeout(600)
def test_two_stages_and_words_decide_alike_in_training_export_and_prediction(tmp_path):
    write_articles(tmp_path / "articles.jsonl", count=300)
    settings = {
        "data.path": tmp_path / "articles.jsonl",
        "data.split": "{validation: 0.3, test: 0.2, seed: 1}",
        "task.keywords": json.dumps(KEYWORDS),
        "model": "{base: tiny-bert, adapter: none, max_length: 24}",
        "training.epochs": 1,
        "training.decision_rule.folds": 2,
        "storage.path": tmp_path / "runs",
    }
    rarecall(tmp_path, "train", EXPERIMENT, *(f"--set={key}={value}" for key, value in settings.items()))
    run = read_ledger(tmp_path / "runs" / "technology_filter_two_stage-train")
    ((row,),) = [record.epochs for record in run.trials.values()]
    assert len(row.rule) == 4  # three cuts and the threshold
    stored = read_predictions(run.resolve(row.predictions), run.labels)
    assert (stored.predicted_scores[:, 1] >= 5.5).all()

    rarecall(tmp_path, "export", run.folder, "-o", "model", "--force")
    rule = json.loads((tmp_path / "model" / "decision_rule.json").read_text())
    assert rule["two_stage"] == {"rare": "deployed_proven", "threshold": row.rule[-1]}
    assert rule["cuts"][1:] == list(row.rule[:-1])
    assert [keyword["at_most"] for keyword in rule["keywords"]] == [None, 3.9]

    rarecall(tmp_path, "predict", "model", "articles.jsonl", "-o", "predicted.jsonl")
    told = [json.loads(line) for line in (tmp_path / "predicted.jsonl").read_text().splitlines()]
    dimensions = ("deployment_maturity", "proof_of_impact", "technical_readiness")
    scores = np.array([[one[f"predicted.{name}"] for name in dimensions] for one in told])
    np.testing.assert_allclose(scores[stored.rows], stored.predicted_scores, atol=1e-3)
    given = [json.loads(line) for line in (tmp_path / "articles.jsonl").read_text().splitlines()]
    planned = np.array([bool(re.search(r"\bplan(s|ned)?\b", f"{one['title']}\n{one['text']}", re.I)) for one in given])
    overall = np.array([one["predicted.overall"] for one in told])
    assert 0 < planned.sum() < 300
    assert (overall[planned] <= 3.9).all()
    free = scores[~planned] @ [0.5, 0.3, 0.2]
    named = np.abs(overall[~planned] - free) > 1e-5
    # Where stage 1 named a row, the overall score is the middle between the cut of the rare tier and 10.
    np.testing.assert_allclose(overall[~planned][named], (row.rule[2] + 10) / 2, atol=1e-5)

    true = np.array([[one[name] for name in dimensions] for one in given]) @ [0.5, 0.3, 0.2]
    tiers = np.searchsorted([4.0, 6.0, 8.0], np.round(true, 9), side="right")
    predicted = np.array([run.labels.classes.index(one["predicted"]) for one in told])
    assert (predicted == np.searchsorted(row.rule[:3], overall, side="right")).all()
    evaluated = json.loads(rarecall(tmp_path, "evaluate", "model", "--data", "articles.jsonl", "--json"))
    assert evaluated["metrics"]["accuracy"] == pytest.approx((predicted == tiers).mean())
