"""The screen before the first trial: from the experiment to rows of the ledger."""

import time

import numpy as np
from rich.console import Console

from rarecall.analysis.runs.ledger import Ledger
from rarecall.analysis.runs.screen import ScreenedSettings, ScreenRow
from rarecall.analysis.text.wording import duration_text
from rarecall.search.engine.preparation.screen.candidates import candidates
from rarecall.search.engine.preparation.screen.head_trial import record_head
from rarecall.search.engine.preparation.screen.inputs import ScreenInputs
from rarecall.trainables.baselines.suite import Encoder, obstacle
from rarecall.trainables.models.frozen.features import TooSlowError
from rarecall.trainables.screen.importance import importances
from rarecall.trainables.screen.screening import Screened, screen

# Of the best mitigations, so many stand in the ledger.
KEPT = 20
SHOWN = 4


def record_screen(given: ScreenInputs, ledger: Ledger, console: Console) -> ScreenRow | None:
    """Try the mitigations of the space on frozen features of all training rows; the best head becomes a trial.

    None where there is nothing to try, or the model has no frozen features.

    Raises:
        RunError: the run folder cannot be written.
    """
    started, experiment, task = time.perf_counter(), given.loaded.experiment, given.data.task
    tried = [] if obstacle(experiment, task) else candidates(given.loaded, len(given.rows.train))
    if not tried:
        return None
    try:
        features = Encoder(experiment, given.base).features(given.rows, task)
    except (TooSlowError, ValueError):
        return None  # told with the baselines, which want them too
    train = features.vectors[: len(given.rows.train)]
    with console.status(f"trying {len(tried):,} mitigations on frozen features"):
        found = screen(train, given.rows.train, task, given.goal, tried, experiment.search.seed)
    if not given.data.folds:
        record_head(found[0].candidate, features, given, ledger, console)
    row = screen_row(found, len(train), time.perf_counter() - started)
    ledger.append(row.as_row())
    console.print(screen_line(row), markup=False, highlight=False, soft_wrap=True)
    return row


def screen_row(found: list[Screened], train_rows: int, seconds: float) -> ScreenRow:
    """What stands in the ledger of what was found, the best first."""
    qualities = np.array([one.quality for one in found])
    best = [one for one in found[:KEPT] if np.isfinite(one.score)]
    return ScreenRow(
        configurations=len(found),
        train_rows=train_rows,
        seconds=round(seconds, 3),
        matters=importances([one.candidate.params for one in found], qualities),
        best=tuple(ScreenedSettings(dict(one.candidate.params), one.score) for one in best),
        time=round(time.time(), 3),
    )


def screen_line(row: ScreenRow) -> str:
    """What a user is told of it."""
    matters = ", ".join(f"{_short(key)} {share:.0%}" for key, share in list(row.matters.items())[:SHOWN])
    return (
        f"screen: {row.configurations:,} mitigations on frozen features of {row.train_rows:,} rows, "
        f"{duration_text(row.seconds)}; differences that each explains: {matters}"
    )


def _short(key: str) -> str:
    return key.removeprefix("training.")
