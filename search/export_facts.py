"""What an export tells about itself: experiment, predictions, metrics and model card beside the model."""

import shutil

from analysis.run import Run
from analysis.strict_json import dumps
from search.card import model_card
from search.experiment import LoadedExperiment
from search.exported import Exported
from search.gate import with_status
from search.overrides import with_values
from search.run_folder import EXPERIMENT_FILE
from search.yaml_file import write_yaml

METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"


def write_facts(exported: Exported, run: Run, loaded: LoadedExperiment) -> None:
    """Write all files of an export but those of the model."""
    folder, record = exported.folder, exported.trial
    shutil.copyfile(run.resolve(exported.epoch.predictions or ""), folder / PREDICTIONS_FILE)
    write_yaml(folder / EXPERIMENT_FILE, with_values(loaded.tree, record.params))
    facts = {
        "trial": record.trial,
        "epoch": exported.epoch.epoch,
        "validation": exported.validation,
        "test": exported.test,
        "confusion": {"validation": exported.epoch.confusion, "test": exported.test_confusion},
        "criteria": [finding.plain() for finding in exported.assessment.findings],
        "probability_of_all": exported.assessment.joint,
        # Not empty only after --force.
        "missed": [finding.criterion.text for finding in with_status(exported.assessment, "missed")],
        "parameters": exported.parameters._asdict(),
        "data_hash": run.header["data_hash"],
        "versions": run.header["versions"],
    }
    (folder / METRICS_FILE).write_text(dumps(facts, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(model_card(exported, run, loaded), encoding="utf-8")
