"""A user's plugin with a loss, a metric, a sampler, a scheme and a task: searched, judged, exported, predicted."""

import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from tests.command_line import COMMAND, rarecall, write_experiment
from tests.plugin_files import EXPERIMENT, PLUGIN, severity_rows

TRUST = "--trust-plugins"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's folder with the run `runs/own` and the export `model` in it."""
    folder = tmp_path_factory.mktemp("user")
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, severity_rows())))
    (folder / "own-parts.py").write_text(PLUGIN)
    rarecall(folder, "tune", write_experiment(folder, EXPERIMENT))
    rarecall(folder, "export", "runs/own", "-o", "model", "--force")
    return folder


@pytest.fixture
def stranger(home, tmp_path, monkeypatch):
    """Somebody else, who got the run and the export without the plugin."""
    monkeypatch.setenv("RARECALL_CACHE", str(tmp_path / "cache"))
    for name in ("runs", "model", "rows.jsonl"):
        (shutil.copytree if (home / name).is_dir() else shutil.copy)(home / name, tmp_path / name)
    return tmp_path


def ledger(home):
    return [json.loads(line) for line in (home / "runs" / "own" / "ledger.jsonl").read_text().splitlines()]


def test_the_search_used_all_five(home):
    rows = ledger(home)
    trials = [row for row in rows if row["kind"] == "trial"]
    assert len(trials) == 2
    for trial in trials:
        low, high = (trial["mitigation"][name] for name in ("low", "high"))
        params = trial["params"]
        assert low["sampled"] == round(params["training.thinning.keep"] * low["rows"])  # the sampler
        floor = max(high["rows"], params["training.class_weights.rows"])
        assert high["weight"] == pytest.approx(low["sampled"] / floor, rel=0.05)  # the scheme, by its own parameter
        assert "training.loss.share" in params
    epochs = [row for row in rows if row["kind"] == "epoch"]
    assert not any(row.get("failure") for row in epochs)
    for row in epochs:
        (true_low, as_high), _ = row["confusion"]
        assert row["metrics"]["negative_recall[high]"] == pytest.approx(true_low / (true_low + as_high))  # the metric
        assert len(row["rule"]) == 1  # the task's own rule


def test_the_ledger_and_the_export_name_the_plugin_with_its_hash(home):
    digest = hashlib.sha256(PLUGIN.encode()).hexdigest()
    told = [{"name": "plugins/own-parts.py", "sha256": digest, "automatic": False}]
    assert ledger(home)[0]["plugins"] == told
    assert json.loads((home / "model" / "metrics.json").read_text())["plugins"] == told
    assert f"plugin plugins/own-parts.py (SHA-256 {digest[:12]}…)" in (home / "model" / "README.md").read_text()
    for folder in ("runs/own", "model"):
        assert (home / folder / "plugins" / "own-parts.py").read_text() == PLUGIN
        assert yaml.safe_load((home / folder / "experiment.yaml").read_text())["plugins"] == ["plugins/own-parts.py"]


def test_ones_own_run_is_read_and_resumed_without_a_question(home):
    assert "negative_recall[high] >= 0.05" in rarecall(home, "leaderboard", "runs/own")
    assert "negative_recall" in rarecall(home, "evaluate", "runs/own", "--criteria", "negative_recall[low] >= 0.01")
    rarecall(home, "tune", "experiment.yaml", "--resume", "--set", "search.trials=2")


@pytest.mark.parametrize(
    "arguments",
    [
        ("leaderboard", "runs/own"),
        ("predict", "model", "rows.jsonl", "-o", "out.csv"),
        # The same door as the other two, each with half a minute of imports.
        pytest.param(("report", "runs/own", "-o", "page.html"), marks=pytest.mark.slow),
        pytest.param(("evaluate", "model", "--data", "rows.jsonl"), marks=pytest.mark.slow),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_stranger_has_to_ask_for_the_code_of_others(stranger, arguments):
    done = subprocess.run([COMMAND, *arguments], cwd=stranger, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "code that is not run unasked: plugins/own-parts.py" in done.stderr
    assert TRUST in done.stderr
    rarecall(stranger, *arguments, TRUST)


def test_predictions_are_those_of_the_plain_script(home):
    rarecall(home, "predict", "model", "rows.jsonl", "-o", "out.csv", TRUST)
    with (home / "out.csv").open() as file:
        predicted = [row["predicted"] for row in csv.DictReader(file)]
    texts = [json.loads(line)["text"] for line in (home / "rows.jsonl").read_text().splitlines()]
    script = re.search(r"```python\n(.*?)\n```", (home / "model" / "README.md").read_text(), re.DOTALL).group(1)
    (home / "script.py").write_text(script.replace('["a text"]', repr(texts)))
    # Without PYTHONPATH too: the script needs nothing of ours.
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    told = subprocess.run(
        [sys.executable, "script.py"], cwd=home, env=clean, capture_output=True, text=True, check=False
    )
    assert told.stdout.strip() == repr(predicted), told.stderr
