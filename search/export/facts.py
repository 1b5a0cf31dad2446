"""What an export tells about itself: experiment, predictions, metrics and model card beside the model."""

import shutil

from rarecall.analysis.runs.run import Run
from rarecall.analysis.strict_json import dumps
from rarecall.search.engine.run_folder import EXPERIMENT_FILE
from rarecall.search.experiment.overrides import with_values
from rarecall.search.experiment.schema import LoadedExperiment
from rarecall.search.experiment.yaml_file import write_yaml
from rarecall.search.export.card.page import model_card
from rarecall.search.export.exported_model import Exported
from rarecall.search.export.gate import with_status

METRICS_FILE = "metrics.json"
PREDICTIONS_FILE = "predictions.parquet"


def write_facts(exported: Exported, run: Run, loaded: LoadedExperiment) -> None:
    """Write all files of an export but those of the model."""
    folder, record = exported.folder, exported.trial
    shutil.copyfile(run.predictions_path(exported.epoch.predictions or ""), folder / PREDICTIONS_FILE)
    write_yaml(folder / EXPERIMENT_FILE, with_values(loaded.tree, record.params))
    facts = {
        "trial": record.trial,
        "epoch": exported.epoch.epoch,
        "validation": exported.validation,
        "test": exported.test,
        "confusion": {"validation": exported.epoch.confusion, "test": exported.test_confusion},
        "criteria": [finding.plain() for finding in exported.assessment.findings],
        "probability_of_all": exported.assessment.joint,
        "correction": exported.assessment.correction,
        # Not empty only after --force.
        "missed": [finding.criterion.text for finding in with_status(exported.assessment, "missed")],
        "parameters": exported.parameters._asdict(),
        "data_hash": run.header["data_hash"],
        "versions": run.header["versions"],
    }
    (folder / METRICS_FILE).write_text(dumps(facts, indent=2) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(model_card(exported, run, loaded), encoding="utf-8")
