"""Images with grades, and several labels per row, from files to exported winners through the real command line."""

import json

import numpy as np
import pytest
import yaml

from rarecall.analysis.predictions.parquet_file import read_predictions
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.finalists import FINALISTS_FOLDER, finalists
from rarecall.analysis.runs.ranking.leaderboard import winner
from tests.command_line import rarecall

GRADES = {
    "name": "eyes",
    "data": {
        "train": "train.npz",
        "validation": "validation.npz",
        "test": "test.npz",
        "image": "image",
        "label": "grade",
    },
    "task": {"kind": "ordinal", "classes": ["0", "1", "2"]},
    "model": {"base": "tiny-vit", "adapter": "none"},
    "training": {
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 1e-3,
        "augmentation": {"flip": "both"},
        "decision_rule": {"fit": True, "folds": 2},
    },
    "criteria": ["recall[0] >= 0.1", "quadratic_weighted_kappa >= 0.05"],
    "search": {"trials": 2, "stop_early": None, "finalists": {"count": 1, "folds": 2}},
    "resources": {"slots": 1},
}
TOPICS = {
    "name": "topics",
    "data": {
        "path": "topics.jsonl",
        "label": "labels",
        "slices": ["source"],
        "split": {"validation": 0.3, "test": 0.2},
    },
    "task": {
        "kind": "multilabel",
        "groups": {"primary": ["offence"], "secondary": ["insult"]},
        "implies": {"insult": "offence"},
        "minority": ["insult", "threat"],
    },
    "model": {"max_length": 16, "lora": {"layers": "last 1"}},
    "training": {"epochs": 1, "batch_size": 16, "learning_rate": 2e-3, "decision_rule": {"fit": True}},
    "criteria": ["recall[offence]@source=a >= 0.1"],
    "objective": "minority_f1",
    "resources": {"slots": 1},
}


def images_of(grades, seed):
    """Squares of noise, the brighter the higher the grade."""
    noise = np.random.default_rng(seed).integers(0, 60, (len(grades), 28, 28, 3))
    return (noise + 60 * np.asarray(grades)[:, None, None, None]).astype(np.uint8)


@pytest.mark.timeout(400)
def test_graded_images_with_finalists(tmp_path):
    for seed, (name, size) in enumerate({"train": 8, "validation": 4, "test": 4}.items()):
        grades = np.repeat([0, 1, 2], (3 * size, size, size))
        np.savez(tmp_path / f"{name}.npz", image=images_of(grades, seed), grade=grades)
    (tmp_path / "eyes.yaml").write_text(yaml.safe_dump(GRADES))
    told = rarecall(tmp_path, "tune", "eyes.yaml")
    run = read_ledger(tmp_path / "runs" / "eyes")
    assert len(run.trials) == 2
    assert "Finalists: trained again on 2 folds; each of the 60 rows" in told.replace("\n", " ")
    (best,) = finalists(run)
    # Every row of training and validation once, whichever fold it was in.
    assert sorted(best.predictions.rows.tolist()) == list(range(60))
    assert winner(run) is run.trials[best.trial]
    told_epochs = {record.epochs[-1].epoch for record in read_ledger(run.folder / FINALISTS_FOLDER).trials.values()}
    assert len(told_epochs) == 1  # as far as the epoch that made it a finalist
    again = rarecall(tmp_path, "finalists", "runs/eyes", "--count", 1, "--folds", 2)
    assert "epoch" not in again.split("Finalists:")[0]  # nothing was left to train

    rarecall(tmp_path, "export", "runs/eyes", "-o", "model")
    rule = json.loads((tmp_path / "model" / "decision_rule.json").read_text())
    row = next(row for row in run.trials[best.trial].epochs if row.rule)
    assert rule["kind"] == "ordinal"
    assert len(rule["thresholds"]) == len(row.rule) == 2
    assert json.loads((tmp_path / "model" / "metrics.json").read_text())["test"]["support[2]"] == 4


@pytest.mark.timeout(300)
def test_several_labels_with_a_rule_and_slices(tmp_path):
    labels = [["offence"], [], ["insult", "offence"], ["threat"], ["offence"], [], ["offence"], []]
    words = {"offence": "rude words", "insult": "you fool", "threat": "beware"}
    with (tmp_path / "topics.jsonl").open("w") as file:
        for number in range(160):
            named = labels[number % 8]
            text = f"message {number}: {' '.join(words[name] for name in named) or 'good morning'}"
            file.write(json.dumps({"text": text, "labels": named, "source": "ab"[number % 3 == 0]}) + "\n")
    (tmp_path / "topics.yaml").write_text(yaml.safe_dump(TOPICS))
    rarecall(tmp_path, "train", "topics.yaml", "--set", "data.folds=2")
    run = read_ledger(tmp_path / "runs" / "topics-train")
    assert run.labels.classes == ("insult", "offence", "threat")
    ((row,),) = [record.epochs for record in run.trials.values()]
    assert len(row.rule) == 3
    assert np.shape(row.confusion) == (3, 2, 2)
    assert "recall[offence]@source=a" in row.metrics
    stored = read_predictions(run.resolve(row.predictions), run.labels)
    splits = run.header["class_counts"]
    assert len(stored) == 160 * 0.8  # all but the test rows, each held out once
    assert row.metrics["support[threat]"] == splits["train"]["threat"] + splits["validation"]["threat"]
    assert set(stored.slices["source"]) == {"a", "b"}
    implied = ~stored.true_labels[:, 0] | stored.true_labels[:, 1]
    assert implied.all()
    rarecall(tmp_path, "export", "runs/topics-train", "-o", "model")
    rule = json.loads((tmp_path / "model" / "decision_rule.json").read_text())
    assert rule["thresholds"] == list(row.rule)
    figures = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert figures["validation"] == {key: pytest.approx(value) for key, value in row.metrics.items()}
