"""`rarecall diagnose` on run folders: the settings it reads, and the experiment it writes."""

import json
from dataclasses import asdict

import pytest
from click.testing import CliRunner

from rarecall.analysis.errors import InputError, RunError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.runs.ledger import LEDGER_NAME, Ledger
from rarecall.search.cli import rarecall
from rarecall.search.experiment.schema import load_experiment
from rarecall.search.experiment.yaml_file import read_yaml, write_yaml
from rarecall.search.review.diagnose import open_case, trial_settings

LABELS = LabelSpace(("common", "rare"), ("rare",))
# Recall of `rare` 10 %, 2 of 20, with sampling and weights at work.
METRICS = {
    "minority_recall": 0.1,
    "macro_f1": 0.5,
    **{"recall[rare]": 0.1, "recall[common]": 0.99, "support[rare]": 20.0, "support[common]": 100.0},
    **{"precision[rare]": 0.67, "precision[common]": 0.8},
}


@pytest.fixture
def run(tmp_path):
    """A run of two trials, the first of which has the best epoch and no checkpoint."""
    folder = tmp_path / "runs" / "made"
    folder.mkdir(parents=True)
    (tmp_path / "rows.jsonl").write_text(
        "".join(json.dumps({"text": f"{i}", "label": "rare" if i % 6 == 0 else "common"}) + "\n" for i in range(60))
    )
    tree = {
        "name": "made",
        "data": {"path": str(tmp_path / "rows.jsonl"), "label": "label"},
        "task": {"kind": "multiclass"},
        "training": {"class_weights": {"strength": 0.5, "values": {"rare": 3.0}}, "epochs": 3},
        "storage": {"path": str(tmp_path / "runs")},
    }
    write_yaml(folder / "experiment.yaml", tree)
    with Ledger(folder / LEDGER_NAME) as ledger:
        ledger.append(
            {
                **{"kind": "run", "run_id": "r", "name": "made", "criteria": [], "objective": "minority_recall"},
                **{"labels": asdict(LABELS), "data_hash": "", "versions": {}, "trials_asked": 2, "seed": 0},
            }
        )
        for trial, checkpoint, recall in (("t0001", None, 0.2), ("t0002", "c", 0.1)):
            metrics = METRICS | {"minority_recall": recall}
            params = {"training.oversampling.ratio": 0.2, "training.learning_rate": 4e-4}
            ledger.append({"kind": "trial", "trial": trial, "params": params})
            ledger.append(
                {
                    **{"kind": "epoch", "trial": trial, "epoch": 1, "metrics": metrics, "train_loss": 0.5},
                    **{"confusion": [[99, 1], [18, 2]], "seconds": 1.0, "peak_memory_mb": 0.0, "score": recall},
                    **{"checkpoint": checkpoint, "predictions": None},
                }
            )
            ledger.append({"kind": "end", "trial": trial, "status": "completed", "reason": ""})
    return folder


def test_a_run_is_about_its_winner_and_a_trial_about_itself(run):
    assert (open_case(str(run)).record.trial, open_case(str(run)).of_run) == ("t0002", True)
    named = open_case(f"{run}:t0001")
    assert (named.record.trial, named.of_run) == ("t0001", False)


def test_settings_are_those_of_the_trial_with_the_defaults(run):
    settings = open_case(str(run)).settings
    assert settings["training.learning_rate"] == 4e-4  # the trial's
    assert settings["training.class_weights.strength"] == 0.5  # the experiment's
    assert settings["training.loss.gamma"] == 0.0  # the loss's default
    assert settings["training.class_weights.values"] == {"rare": 3.0}  # one value, since classes may have dots
    assert settings == trial_settings(load_experiment(run / "experiment.yaml"), open_case(str(run)).record.params)


def test_the_experiment_with_the_advice_is_runnable_and_another_one(run, tmp_path):
    written = tmp_path / "advised.yaml"
    result = CliRunner().invoke(rarecall, ["diagnose", str(run), "--write", str(written)])
    assert result.exit_code == 0, result.output
    assert "Rare classes are missed" in result.output
    assert "training.oversampling.ratio: 0.2 -> 0.3" in result.output
    advised = load_experiment(written)
    assert advised.experiment.name == "made-advised"
    training = advised.experiment.training
    assert (training.oversampling.ratio, training.learning_rate, training.epochs) == (0.3, 2e-4, 5)
    assert training.class_weights.values == {"rare": 3.0}  # not touched
    assert advised.run_folder() == run.parent / "made-advised"
    assert read_yaml(run / "experiment.yaml")["name"] == "made"


def test_the_advice_never_overwrites_a_file(run, tmp_path):
    written = tmp_path / "advised.yaml"
    written.write_text("mine")
    result = CliRunner().invoke(rarecall, ["diagnose", str(run), "--write", str(written)])
    assert isinstance(result.exception, RunError)
    assert "exists already" in str(result.exception)
    assert written.read_text() == "mine"


def test_json_holds_every_sign(run):
    told = json.loads(CliRunner().invoke(rarecall, ["diagnose", f"{run}:t0001", "--json"]).stdout)
    assert told["trial"] == "t0001"
    (warning,) = [warning for warning in told["warnings"] if warning["rule"] == "rare_recall_low"]
    assert {"key": "training.epochs", "before": 3, "after": 5} in warning["changes"]


@pytest.mark.parametrize(
    ("target", "reason"), [("{run}:t0009", "has no trial 't0009'"), ("{run}x", "not a run folder")]
)
def test_what_is_not_there_is_named(run, target, reason):
    with pytest.raises(RunError, match=reason):
        open_case(target.format(run=run))


@pytest.mark.parametrize("params", [{"model.lora.rank": "wide"}, {"training": 1}, {"training.epochs": -(10**400)}])
def test_parameters_that_no_longer_validate_are_told(run, params):
    rows = [json.loads(line) for line in (run / LEDGER_NAME).read_text().splitlines()]
    changed = [{**row, "params": params} if row["kind"] == "trial" else row for row in rows]
    (run / LEDGER_NAME).write_text("".join(json.dumps(row) + "\n" for row in changed))
    with pytest.raises(InputError, match="parameters of a trial"):
        open_case(str(run))
