"""Trials that go on must find the checkpoint of their last epoch whole; else they go further back."""

from collections.abc import Iterable

from rich.console import Console

from rarecall.analysis.runs.confined import within
from rarecall.analysis.runs.run import TrialRecord
from rarecall.search.engine.folder.run_folder import RunFolder
from rarecall.trainables.models.manifest import damage


def leave_damaged_checkpoints(records: Iterable[TrialRecord], folder: RunFolder, console: Console) -> None:
    """Drop the last epochs of unfinished trials as far as their checkpoints are damaged, and say so.

    What is dropped here is trained again, and its later row counts.
    """
    for record in records:
        if record.end is None and record.epochs and (told := _leave(record, folder)):
            after = f"resumes after epoch {record.epochs[-1].epoch}" if record.epochs else "begins again"
            console.print(
                f"note: {told}; {record.trial} {after}", style="yellow", markup=False, highlight=False, soft_wrap=True
            )


def _leave(record: TrialRecord, folder: RunFolder) -> str:
    """Back to the last epoch that is whole; what was wrong with the very last one, "" where nothing was."""
    told = ""
    while record.epochs:
        checkpoint = record.epochs[-1].checkpoint or ""
        fault = damage(within(folder.path, checkpoint))
        if checkpoint and not fault:
            break
        told = told or f"checkpoint {checkpoint} {fault}"
        record.epochs.pop()
    return told
