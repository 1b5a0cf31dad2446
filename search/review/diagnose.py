"""`rarecall diagnose`: a trial with the settings it ran with, and an experiment file with the advice followed."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rarecall.analysis.criteria.ranking import best_epoch
from rarecall.analysis.diagnosis import Case, Change
from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.ledger import LEDGER_NAME, read_ledger
from rarecall.analysis.runs.ranking.standings import standings
from rarecall.analysis.runs.run import Run, TrialRecord
from rarecall.analysis.settings import VALUES
from rarecall.search.engine.folder.run_folder import find_run
from rarecall.search.experiment.schema import LoadedExperiment, load_experiment
from rarecall.search.experiment.yaml_file import write_yaml
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.exported.names import EXPERIMENT_FILE

# Mappings that are one value: their keys are class names.
_WHOLE = (VALUES,)
CHANGED_NAME = "{}-advised"


def open_case(target: str) -> Case:
    """RUN, whose winner or first trial it is then about, or RUN:TRIAL.

    Raises:
        RunError: no such run or trial, or a run without any trial.
        InputError: the run's experiment is not one of this version.
    """
    path, trial = _divided(target)
    run = read_ledger(find_run(path).ledger)
    record = _record(run, trial)
    best = best_epoch(record.epochs, run.criteria, run.objective) if record.epochs else None
    if not (path / EXPERIMENT_FILE).is_file():
        return Case(run, record, best, of_run=trial is None)
    loaded = load_experiment(path / EXPERIMENT_FILE)
    return Case(run, record, best, trial_settings(loaded, record.params), _space(loaded), trial is None)


def trial_settings(loaded: LoadedExperiment, params: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a trial by dotted key, those left at their defaults included."""
    return dict(_dotted(TrialConfig.model_validate(loaded.trial_tree(params)).settings()))


def write_advised(case: Case, changes: Mapping[str, Change], path: Path) -> None:
    """Write the trial's experiment with the changes made, as another experiment that can run beside it.

    Raises:
        RunError: the run folder has no experiment, or the file exists.
        InputError: the changed experiment is not valid.
    """
    source = case.run.folder / EXPERIMENT_FILE
    if path.exists():
        raise RunError(f"{path}: exists already; remove it or name another file with --write")
    if not source.is_file():
        raise RunError(f"{case.run.folder}: has no {EXPERIMENT_FILE} to start from")
    name = CHANGED_NAME.format(case.run.header.get("name", case.run.folder.name))
    values = {key: change.after for key, change in changes.items()}
    write_yaml(path, load_experiment(source, {"name": name, **case.record.params, **values}).tree)


def _divided(target: str) -> tuple[Path, str | None]:
    """Folder and trial; a folder with a colon in its name is still a folder."""
    run, colon, trial = target.rpartition(":")
    if Path(target).is_dir() or not colon or not (Path(run) / LEDGER_NAME).is_file():
        return Path(target), None
    return Path(run), trial


def _record(run: Run, trial: str | None) -> TrialRecord:
    if trial is not None:
        if trial not in run.trials:
            raise RunError(f"{run.folder}: has no trial {trial!r}; `rarecall leaderboard {run.folder}` lists them")
        return run.trials[trial]
    ranked = standings(run)
    if not ranked:
        raise RunError(f"{run.folder}: has no trial yet; look again when the first one has begun")
    best = next((one for one in ranked if one.may_win), None) or next((one for one in ranked if one.exportable), None)
    return (best or ranked[0]).record


def _space(loaded: LoadedExperiment) -> dict[str, dict[str, Any]]:
    entries = loaded.experiment.full_space()
    return {key: entry.model_dump(mode="json", exclude_defaults=True) for key, entry in entries.items()}


def _dotted(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and above + key not in _WHOLE:
            yield from _dotted(value, f"{above}{key}.")
        else:
            yield above + key, value
