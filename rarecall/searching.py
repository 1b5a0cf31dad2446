"""Searching and training from Python: what `rarecall tune` and `rarecall train` do."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from rarecall.run import Run
from rarecall.search.engine.launch import LaunchOptions
from rarecall.search.engine.search import run_search
from rarecall.search.experiment.opening import Source, open_experiment
from rarecall.search.experiment.schema import LoadedExperiment


def tune(
    experiment: Source,
    data: Any = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    quick: bool = False,
    sample: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    address: str | None = None,
    progress: bool = True,
) -> Run:
    """Search for the configuration that meets the experiment's criteria and recalls its rare classes best.

    experiment: a YAML file, a dict of what one would hold, or an `Experiment`. data: rows in the place of the
    experiment's own: a DataFrame, a `datasets.Dataset`, a list of dicts, or a dict of `train`, `validation` and `test`
    to such rows; they are kept as Parquet below `storage.path`, so that the run can be resumed and exported later.
    overrides: values by dotted key, `{"training.epochs": 3}`. quick: 200 training rows, 3 epochs, 4 trials at most.
    sample: that many training rows. resume, overwrite: what to do with an existing run. address: of a Ray
    cluster; without one, the Ray that this process is connected to, or one of its own. progress: whether to show it.

    Ctrl-C stops it; all that was finished is kept, and the same call with `resume=True` resumes it.

    Raises:
        InputError: experiment, data or criteria cannot be used; every fault at once, with its place and remedy.
        RunError: a run exists already, or the search cannot go on.
        KeyboardInterrupt: stopped by the user.
    """
    loaded = open_experiment(experiment, data, overrides, quick, sample)
    return _launched(loaded, resume, overwrite, address, progress)


def train(
    experiment: Source,
    data: Any = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    quick: bool = False,
    sample: int | None = None,
    resume: bool = False,
    overwrite: bool = False,
    address: str | None = None,
    progress: bool = True,
) -> Run:
    """Train the one configuration that the experiment itself describes, without a search; otherwise as `tune`."""
    loaded = open_experiment(experiment, data, overrides, quick, sample).without_search()
    return _launched(loaded, resume, overwrite, address, progress)


def _launched(loaded: LoadedExperiment, resume: bool, overwrite: bool, address: str | None, progress: bool) -> Run:
    console, folder = Console(quiet=not progress), loaded.run_folder()
    try:
        run_search(loaded, LaunchOptions(folder, resume, overwrite, address), console)
    except KeyboardInterrupt:
        told = f"stopped; everything finished so far is kept in {folder}; resume=True resumes it"
        console.print(told, markup=False, highlight=False, soft_wrap=True)
        raise
    return Run(folder)
