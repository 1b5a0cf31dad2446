"""Exporting a trial: held against its criteria, written, reloaded in a fresh process, measured on the test split."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rich.console import Console

from rarecall.analysis.criteria.ranking import best_epoch
from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.baselines import PLAIN_BASELINE, plain_trial
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.leaderboard import winner
from rarecall.analysis.runs.ranking.standings import as_trial, standings
from rarecall.analysis.runs.run import EpochRow, Run, TrialRecord
from rarecall.analysis.text.opened import opened_lines
from rarecall.analysis.text.winner import no_winner
from rarecall.search.engine.folder.run_folder import find_run
from rarecall.search.experiment.schema import LoadedExperiment, load_experiment
from rarecall.search.export.check import check_and_measure
from rarecall.search.export.exported_model import Exported
from rarecall.search.export.facts import write_facts
from rarecall.search.export.gate import measured_text, pass_gate
from rarecall.search.export.hub import check_hub, push
from rarecall.search.export.opening import NO_TEST_SPLIT, STILL_SEARCHING, known_opening, open_test
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import load_splits
from rarecall.trainables.data.prepared import LabelledSplits
from rarecall.trainables.exported.names import EXPERIMENT_FILE
from rarecall.trainables.exported.writing import discard, write_model
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.tasks import switched


@dataclass(frozen=True)
class ExportOptions:
    """run: folder of the run. output: folder to write. trial: instead of the winner. force: whatever it misses.

    merge: whole weights instead of an adapter. repo: on the hub, where it is uploaded to; public: for everybody to see.
    """

    run: Path
    output: Path
    trial: str | None = None
    force: bool = False
    merge: bool = False
    repo: str | None = None
    public: bool = False


def export_trial(options: ExportOptions, console: Console) -> Exported:
    """Export the winner of a run, or the trial that is named, to a folder that does not exist yet.

    Raises:
        InputError: there is no upload to that repository from here.
        RunError: no such run or trial, nothing to export, a criterion is missed, `output` exists, the upload failed, or
            the reloaded model disagrees with the stored validation predictions; only then is the folder removed.
    """
    output = options.output
    if output.exists():
        raise RunError(f"{output}: exists already; remove it or name another folder with -o")
    if options.repo:
        check_hub(options.repo)
    run = read_ledger(find_run(options.run).ledger)
    record = _chosen(run, options.trial)
    row = best_epoch([row for row in record.epochs if row.checkpoint], run.criteria, run.objective)
    assessment = pass_gate(run, row, options.force)
    loaded = load_experiment(options.run / EXPERIMENT_FILE)
    config = TrialConfig.model_validate(loaded.trial_tree(record.params))
    base = resolve_base(config.model.base, loaded.folder)
    data = _deciding(_same_data(run, loaded, config, load_splits(config, loaded.folder)), config, row)
    try:
        trained = run.resolve(row.checkpoint or "")
        parameters = write_model(output, base, config, data.task, trained, merge=options.merge)
        exported = _measured(run, row, data, config, Exported(output, record, row, {}, assessment, parameters))
        write_facts(exported, run, loaded)
    except BaseException:
        discard(output)
        raise
    _tell(exported, run, console)
    if options.merge and config.model.adapter != "lora":
        console.print("--merge: the weights are whole anyway, as the trial has no adapter", highlight=False)
    if options.repo:
        console.print(_published(exported, options.repo, options), markup=False, highlight=False, soft_wrap=True)
    return exported


def _published(exported: Exported, repo: str, options: ExportOptions) -> str:
    """Upload the folder, unless the test split says not to ship it; what became of that."""
    if exported.refused and not options.force:
        return f"not uploaded to {repo} (`hf upload {repo} {exported.folder}` does it all the same)"
    return f"uploaded to {push(exported.folder, repo, options.public)}"


def _chosen(run: Run, trial: str | None) -> TrialRecord:
    if trial is None:
        chosen = winner(run)
        if chosen is None:
            raise RunError(f"{run.folder}: {no_winner(standings(run))} Another trial: --trial ID, with --force")
        return chosen
    if trial == PLAIN_BASELINE and (plain := plain_trial(run)) is not None:
        return _with_checkpoint(run, plain)
    if trial in run.baselines:
        return _baseline(run, trial)
    if trial not in run.trials:
        raise RunError(f"{run.folder}: has no trial {trial!r}; `rarecall leaderboard {run.folder}` lists them")
    return _with_checkpoint(run, run.trials[trial])


def _with_checkpoint(run: Run, record: TrialRecord) -> TrialRecord:
    if not any(row.checkpoint for row in record.epochs):
        raise RunError(f"{run.folder}: trial {record.trial!r} has no checkpoint to export")
    return record


def _baseline(run: Run, name: str) -> TrialRecord:
    row = run.baselines[name]
    if row.checkpoint is None:
        raise RunError(f"{run.folder}: {name} is no head of the base model, so there is no checkpoint to export")
    return as_trial(row, dict(row.params))


def _same_data(run: Run, loaded: LoadedExperiment, config: TrialConfig, data: LabelledSplits) -> LabelledSplits:
    # A trial on all rows reads the same data otherwise than the search.
    searched = TrialConfig.model_validate(loaded.trial_tree({}))
    of_search = (
        data if (searched.data, searched.task) == (config.data, config.task) else load_splits(searched, loaded.folder)
    )
    if not of_search.is_that_of(run.header["data_hash"]):
        raise RunError(f"{run.folder}: the data changed since the run, so its validation split cannot be made again")
    return replace(data, task=data.task.with_minority(run.labels.minority))


def _deciding(data: LabelledSplits, config: TrialConfig, row: EpochRow) -> LabelledSplits:
    """The data with the keywords of the trial and the rule that the epoch's validation predictions gave."""
    task = switched(data.task, config.training.decision_rule.keywords)
    return replace(data, task=task.with_rule(row.rule) if row.rule else task)


def _measured(run: Run, row: EpochRow, data: LabelledSplits, config: TrialConfig, exported: Exported) -> Exported:
    """With its metrics; the test split is opened once for a trial, and not while others may still be chosen."""
    known = known_opening(run, row)
    shut = known is not None or run.live
    validation, test = check_and_measure(run, row, replace(data, test=None) if shut else data, config, exported.folder)
    exported = replace(exported, validation=validation)
    if known:
        return replace(exported, opened=known, again=True)
    if test is None:
        return replace(exported, closed=NO_TEST_SPLIT if data.test is None else STILL_SEARCHING)
    now_opened, problem = open_test(run, row, test)
    return replace(exported, opened=now_opened, unrecorded=problem)


def _tell(exported: Exported, run: Run, console: Console) -> None:
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    if exported.headline:
        say(exported.headline)
    say(f"exported {exported.trial.trial} (epoch {exported.epoch.epoch}) to {exported.folder}")
    say("reloaded in a fresh process: the same validation predictions")
    for finding in exported.assessment.findings:
        if finding.status != "met":
            say(f"{finding.status}: {finding.criterion.text}: {measured_text(finding, exported.assessment.level)}")
    _tell_test(exported, console, say)
    say(exported.recall_text(run.labels))


def _tell_test(exported: Exported, console: Console, say: Callable[[str], None]) -> None:
    if exported.unrecorded:
        say(exported.unrecorded)
    if exported.opened is None:
        return
    if exported.again:
        say("an earlier export measured the test split for this trial; it was not opened again")
    say("\n".join(opened_lines(exported.opened, console.width)))
