"""A whole search: the trials, and the finalists where the experiment asks for them."""

from pathlib import Path

from rich.console import Console

from rarecall.analysis.runs.run import Run
from rarecall.search.engine.finalists import FinalsOptions, run_finals
from rarecall.search.engine.launch import LaunchOptions, launch
from rarecall.search.engine.run_folder import find_run
from rarecall.search.experiment.schema import LoadedExperiment, load_experiment


def run_search(loaded: LoadedExperiment, options: LaunchOptions, console: Console) -> Run:
    """Search, or resume a search, as the experiment says; raises as `launch` and `run_finals` do."""
    run, chosen = launch(loaded, options, console), loaded.experiment.search.finalists
    if chosen is None:
        return run
    return train_finalists(
        options.run_folder, FinalsOptions(chosen.count, chosen.folds, address=options.address), console
    )


def train_finalists(path: Path, options: FinalsOptions, console: Console) -> Run:
    """Train the finalists of the run in the folder `path`, or those that are left; raises as `run_finals` does."""
    folder = find_run(path.resolve())
    return run_finals(load_experiment(folder.experiment), folder, options, console)
