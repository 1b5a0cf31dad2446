"""Commands that train: a search, one configuration, the finalists."""

import contextlib
import shlex
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from rarecall.search.commands.help import SEARCH, command
from rarecall.search.commands.options import ADDRESS, OVERWRITE, RUN, TRUST, launch_options
from rarecall.search.commands.printing import echo, print_leaderboard


@command(
    SEARCH,
    "Search for the best configuration by your criteria.",
    "rarecall tune experiment.yaml",
    "rarecall tune experiment.yaml --set search.trials=20 --overwrite",
)
@launch_options
def tune(experiment: Path, assignments: tuple[str, ...], quick: bool, sample: int | None, **launching: Any) -> None:
    """Search for the configuration that meets the criteria of EXPERIMENT and recalls its rare classes best."""
    loaded = _loaded(experiment, assignments, quick, sample)
    _launch(loaded, loaded.run_folder(), **launching)


@command(
    SEARCH,
    "Train the one configuration that the file describes.",
    "rarecall train experiment.yaml",
)
@launch_options
def train(experiment: Path, assignments: tuple[str, ...], quick: bool, sample: int | None, **launching: Any) -> None:
    """Train the one configuration that EXPERIMENT itself describes, without a search."""
    loaded = _loaded(experiment, assignments, quick, sample).without_search()
    _launch(loaded, loaded.run_folder(), **launching)


@command(
    SEARCH,
    "Train the best few again on other folds and seeds.",
    "rarecall finalists runs/threats --count 3 --folds 5",
)
@RUN
@click.option("--count", type=click.IntRange(min=1), default=3, show_default=True, help="How many of the best trials.")
@click.option(
    "--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Parts the rows are divided in."
)
@click.option("--all-folds", is_flag=True, help="Train each finalist on every fold, even where that decides nothing.")
@OVERWRITE
@ADDRESS
@TRUST
def finalists(run: Path, count: int, folds: int, all_folds: bool, overwrite: bool, address: str | None) -> None:
    """Train the best trials of RUN again on other folds and seeds, and name the winner by what all folds say.

    Each row of training and validation data is validation once, so the rare class is judged by all its rows and not by
    the few of one split. Folds are added to the finalists that may still win, and no more once they cannot change
    which one does. What is there already is not trained again.
    """
    from rarecall.analysis.runs.ranking.finalists import finalists as finalists_of
    from rarecall.analysis.text.finalists import finalists_text
    from rarecall.search.engine.retraining.finalists import FinalsOptions
    from rarecall.search.engine.search import train_finalists

    console = Console()
    try:
        done = train_finalists(run, FinalsOptions(count, folds, not all_folds, overwrite, address), console)
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            echo(f"\nstopped; resume with: {_this_command()}")
        raise
    echo(finalists_text(finalists_of(done), done, console.width))


def _loaded(experiment: Path, assignments: tuple[str, ...], quick: bool, sample: int | None) -> Any:
    """The experiment with what the command line changes; `--set` has the last word."""
    from rarecall.search.experiment.opening import open_experiment
    from rarecall.search.experiment.overrides import parse_assignments

    return open_experiment(experiment, overrides=parse_assignments(assignments), quick=quick, sample=sample)


def _launch(loaded: Any, folder: Path, resume: bool, overwrite: bool, address: str | None) -> None:
    from rarecall.analysis.runs.ranking.leaderboard import winner
    from rarecall.search.engine.launch import LaunchOptions
    from rarecall.search.engine.search import run_search

    console = Console()
    shown = _relative(folder)
    try:
        run = run_search(loaded, LaunchOptions(folder, resume, overwrite, address), console)
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal may be gone
            kept = f"\nstopped; everything finished so far is kept in {shown}"
            echo(f"{kept}\nresume with: {_this_command()} --resume")
        raise
    print_leaderboard(run, console.width, limit=10)
    export = f"rarecall export {shown} -o exported/{folder.name}"
    echo(f"\nrarecall leaderboard {shown}\n{export if winner(run) else f'rarecall diagnose {shown}'}")


def _this_command() -> str:
    """What the user typed, without what would start anew."""
    return shlex.join(["rarecall", *(part for part in sys.argv[1:] if part not in ("--resume", "--overwrite"))])


def _relative(folder: Path) -> Path:
    """A path as short as a user would type it."""
    try:
        return folder.relative_to(Path.cwd())
    except ValueError:
        return folder
