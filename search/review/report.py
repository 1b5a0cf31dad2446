"""What `rarecall report` needs beyond the ledger: what TARGET is, and the texts of its rows."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.evaluation.targets import open_target
from rarecall.analysis.predictions.outside_file import Meaning
from rarecall.analysis.report import Report, of_predictions, of_run
from rarecall.analysis.runs.ledger import LEDGER_NAME, read_ledger
from rarecall.analysis.runs.run import Run
from rarecall.search.review.criteria import read_criteria


def gathered(target: str, given: Sequence[str], meaning: Meaning, level: float, *, texts: bool) -> Report:
    """The report of a run, or of predictions that `analysis.evaluation.targets.open_target` finds.

    given: criteria instead of those that the run or nobody stated. texts: whether the rows' texts are to be shown.

    Raises:
        InputError: nothing of the kind, a file or criteria that cannot be used, or texts of something else than a run.
        RunError: a run that cannot be read, or whose data have changed while texts are asked for.
    """
    if (Path(target) / LEDGER_NAME).is_file():
        run = read_ledger(target)
        run = replace(run, criteria=read_criteria(given, run.labels) or run.criteria)
        return of_run(run, row_texts(run) if texts else None, level)
    if texts:
        rule, remedy = "must be the folder of a run to have texts", "leave --texts out"
        raise InputError(target, [Fault("--texts", rule, repr(target), remedy)])
    opened = open_target(target, meaning)
    criteria = read_criteria(given, opened.labels) or opened.criteria
    return of_predictions(opened.name, opened.predictions, opened.labels, criteria, level)


def row_texts(run: Run) -> dict[int, str]:
    """Texts of the rows that are held out, by row number; empty for images.

    Raises:
        RunError: the data have changed since the run.
        InputError: the experiment or the data cannot be read.
    """
    from rarecall.search.review.data import run_data  # noqa: PLC0415  # knows torch, which a report without texts needs not

    config, _, data = run_data(run, "so its texts cannot be told (leave --texts out)")
    if data.validation.images is not None:
        return {}
    # With folds, every training row is held out once.
    parts = (data.train, data.validation) if config.data.folds else (data.validation,)
    return {row: text for part in parts for row, text in zip(part.rows.tolist(), part.texts, strict=True)}
