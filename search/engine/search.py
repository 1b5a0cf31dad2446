"""A whole search: the trials, and the finalists where the experiment asks for them."""

from pathlib import Path

from rich.console import Console

from rarecall.analysis.runs.run import Run
from rarecall.search.engine.folder.run_folder import find_run
from rarecall.search.engine.launch import LaunchOptions, launch
from rarecall.search.engine.retraining.finalists import FinalsOptions, run_finals
from rarecall.search.engine.retraining.refit import run_refit
from rarecall.search.experiment.schema import LoadedExperiment, load_experiment


def run_search(loaded: LoadedExperiment, options: LaunchOptions, console: Console) -> Run:
    """Search, or resume a search, as the experiment says; raises as `launch`, `run_finals` and `run_refit` do."""
    launch(loaded, options, console)
    chosen = loaded.experiment.search.finalists
    if chosen is None:
        return _refitted(options.run_folder, options.address, console)
    finals = FinalsOptions(chosen.count, chosen.folds, chosen.race, address=options.address)
    return train_finalists(options.run_folder, finals, console)


def train_finalists(path: Path, options: FinalsOptions, console: Console) -> Run:
    """Train the finalists of the run in the folder `path`, or those that are left, and the best one on all rows.

    Raises as `run_finals` and `run_refit` do.
    """
    folder = find_run(path.resolve())
    run_finals(load_experiment(folder.experiment), folder, options, console)
    return _refitted(path, options.address, console)


def _refitted(path: Path, address: str | None, console: Console) -> Run:
    folder = find_run(path.resolve())
    return run_refit(load_experiment(folder.experiment), folder, address, console)
