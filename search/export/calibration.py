"""The calibration of an export: fitted on the stored validation predictions, and what it is worth."""

from typing import Any

from rarecall.analysis.calibration.changes import on_fitted_rows, on_fresh_rows, plain
from rarecall.analysis.calibration.rescaling import fit
from rarecall.analysis.calibration.stored import write_calibration
from rarecall.analysis.predictions.parquet_file import PREDICTIONS_NAME, read_predictions
from rarecall.analysis.runs.run import Run
from rarecall.search.export.exported_model import Exported
from rarecall.trainables.exported.names import CALIBRATION_FILE


def calibrate(exported: Exported, run: Run) -> dict[str, Any] | None:
    """Write the calibration of an export; its expected calibration errors, None for a task without probabilities.

    On validation rows cross-fitted, on test rows by the calibration that the export has. The folder must hold the
    validation predictions.
    """
    validation = read_predictions(exported.folder / PREDICTIONS_NAME, run.labels)
    if validation.probabilities is None or not len(validation):
        return None
    rescaling = fit(validation)
    training = (run.header.get("class_counts") or {}).get("train") or {}
    write_calibration(exported.folder / CALIBRATION_FILE, rescaling, run.labels, training)
    test = on_fresh_rows(exported.opened.predictions, rescaling, run.labels) if exported.opened else {}
    return {"validation": plain(on_fitted_rows(validation, run.labels)), "test": plain(test) or None}
