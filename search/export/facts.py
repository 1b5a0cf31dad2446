"""What an export tells about itself: experiment, predictions, metrics and model card beside the model."""

import shutil
from typing import Any

from rarecall.analysis.plugins.plugin import write_copies
from rarecall.analysis.predictions.parquet_file import PREDICTIONS_NAME, write_predictions
from rarecall.analysis.runs.opened import Opened
from rarecall.analysis.runs.run import Run
from rarecall.analysis.strict_json import dumps
from rarecall.search.experiment.schema import LoadedExperiment, with_parameters
from rarecall.search.experiment.yaml_file import write_yaml
from rarecall.search.export.calibration import calibrate
from rarecall.search.export.card.page import model_card
from rarecall.search.export.exported_model import Exported
from rarecall.search.export.gate import with_status
from rarecall.trainables.exported.names import CARD_FILE, EXPERIMENT_FILE, METRICS_FILE, TEST_PREDICTIONS_FILE


def write_facts(exported: Exported, run: Run, loaded: LoadedExperiment) -> None:
    """Write all files of an export but those of the model."""
    folder, record = exported.folder, exported.trial
    shutil.copyfile(run.predictions_path(exported.epoch.predictions or ""), folder / PREDICTIONS_NAME)
    if exported.opened:
        write_predictions(folder / TEST_PREDICTIONS_FILE, exported.opened.predictions, run.labels)
    calibration = calibrate(exported, run)
    write_copies(loaded.plugins, folder)
    write_yaml(folder / EXPERIMENT_FILE, with_parameters(loaded.tree, record.params))
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
        "decision": exported.decision.plain() if exported.decision else None,
        **_opening(exported.opened),
        "calibration_error": calibration,
        "parameters": exported.parameters._asdict(),
        "data_hash": run.header["data_hash"],
        "versions": run.header["versions"],
        "plugins": [plugin.plain() for plugin in loaded.plugins],
    }
    (folder / METRICS_FILE).write_text(dumps(facts, indent=2) + "\n", encoding="utf-8")
    (folder / CARD_FILE).write_text(model_card(exported, run, loaded, calibration), encoding="utf-8")


def _opening(opened: Opened | None) -> dict[str, Any]:
    """The verdicts on test rows, when the split was opened (seconds since 1970), and for which trials before."""
    if opened is None:
        return {"test_criteria": [], "test_opened": None, "test_opened_before_for": []}
    findings = [finding.plain() for finding in opened.assessment.findings]
    return {"test_criteria": findings, "test_opened": opened.row.time, "test_opened_before_for": opened.others}
