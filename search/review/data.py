"""The data of a run, read again from the files that it was made from."""

from pathlib import Path

from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.run import Run
from rarecall.search.experiment.schema import load_experiment
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import load_splits
from rarecall.trainables.data.prepared import LabelledSplits
from rarecall.trainables.exported.names import EXPERIMENT_FILE


def run_data(run: Run, lost: str) -> tuple[TrialConfig, Path, LabelledSplits]:
    """The configuration of a run, the folder that its paths count from, and its data divided as the run did.

    lost: what cannot be done where the data have changed, as the end of a sentence.

    Raises:
        RunError: the data have changed since the run.
        InputError: the experiment or the data cannot be read.
    """
    loaded = load_experiment(run.folder / EXPERIMENT_FILE)
    config = TrialConfig.model_validate(loaded.trial_tree({}))
    data = load_splits(config, loaded.folder)
    if not data.is_that_of(run.header["data_hash"]):
        raise RunError(f"{run.folder}: the data changed since the run, {lost}")
    return config, loaded.folder, data
