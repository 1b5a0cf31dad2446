"""`rarecall predict`: a file of any size through an exported model, written row by row, resumed where it stopped."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from rarecall.analysis.arrays import BoolArray
from rarecall.analysis.calibration.drift import Tally
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.plugins.loading import in_force
from rarecall.analysis.predictions.parquet_file import PREDICTIONS_NAME
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.search.display.progress import ProgressLine
from rarecall.search.experiment.schema import Experiment, load_experiment
from rarecall.search.predict.engine import Engine, LocalEngine
from rarecall.search.predict.finishing import Finishing, open_finishing
from rarecall.search.predict.output_file import PredictionOutput
from rarecall.search.predict.summary import band_lines, summary_lines
from rarecall.search.predict.table import table_columns, table_schema
from rarecall.trainables.data.files.formats import AS_THEY_ARE
from rarecall.trainables.data.files.options import FileOptions
from rarecall.trainables.data.reading.unlabelled import Source, Survey, chunks, survey, unlabelled
from rarecall.trainables.exported.names import CALIBRATION_FILE, DECISION_RULE_FILE, EXPERIMENT_FILE, WEIGHT_FILES
from rarecall.trainables.exported.predictor import load_task, open_predictor
from rarecall.trainables.tasks import Task

# Enough for batches of like length; on a slow machine still only seconds.
CHUNK_ROWS = 2048
BATCH_ROWS = 32


@dataclass(frozen=True)
class PredictOptions:
    """What the command line asks for.

    text: columns with the text, empty for those of the experiment. keep: hand on all columns of the input; else `id` if
    there is one. threads: of the CPU, None for all. skip: go on without rows that cannot be used. ray: on the cluster
    at `address`, or on a Ray of our own on this machine; `threads` are then those of a worker. prevalence, abstain: as
    `open_finishing` takes them. reading: of the input.
    """

    folder: Path
    input: Path
    output: Path
    text: tuple[str, ...] = ()
    id: str | None = None
    keep: bool = False
    batch_size: int = BATCH_ROWS
    threads: int | None = None
    skip: bool = False
    overwrite: bool = False
    ray: bool = False
    address: str | None = None
    prevalence: tuple[str, ...] = ()
    abstain: tuple[str, ...] = ()
    reading: FileOptions = AS_THEY_ARE


def predict(options: PredictOptions, console: Console) -> None:
    """Write predictions for the rows of a file.

    Raises:
        InputError: the folder, the file or rows of it cannot be used, before anything is predicted.
        RunError: the model does not load, or the output is there already.
    """
    if options.output.resolve() == options.input.resolve():
        raise InputError("-o", [Fault("-o", "must be another file than the input", repr(str(options.output)))])
    experiment = read_experiment(options.folder)
    source = _source(options, experiment)
    found = survey(source)
    for note in found.notes:
        console.print(f"note: {note}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    _check_rows(source, found, options.skip)
    carried = _carried(options, source, found)
    # Labels are decided here and nowhere else, so what decides them is known before the model is loaded.
    task = load_task(options.folder, experiment.task)
    finishing = open_finishing(options.folder, task, options.prevalence, options.abstain)
    schema = table_schema(task, source, carried, errors=found.unusable > 0, review=bool(finishing.bands))
    output = PredictionOutput(options.output, schema, _identity(options, source), options.overwrite)
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    if output.rows:
        say(f"{options.output} holds {output.rows:,} of {found.rows:,} rows already; resuming after them")
    for told in band_lines(finishing):
        say(told)
    with _engine(options, experiment, task, say) as engine:
        output.begin()
        with ProgressLine(found.rows, output.rows, console) as line:
            try:
                unread = _write_all(engine, task, source, output, carried, finishing, line)
            except KeyboardInterrupt:
                say(f"stopped; {output.rows:,} rows are in {options.output}; the same command resumes after them")
                raise
    output.finish()
    say(f"wrote {found.rows:,} rows to {options.output} ({line.seconds:,.0f} s, {line.speed:,.0f} rows/s)")
    _tell_summary(output, finishing, say)
    _tell_skipped(found, console)
    if unread:
        say(f"{unread:,} answers cannot be read; `error` says what they are")


def read_experiment(folder: Path) -> Experiment:
    """The experiment of an exported folder.

    Raises:
        InputError: the folder is not one that the export wrote, or its experiment cannot be read.
    """
    needed = [name for name in (EXPERIMENT_FILE, DECISION_RULE_FILE) if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in WEIGHT_FILES):
        needed.append(" or ".join(WEIGHT_FILES[:2]))
    if needed:
        rule = "must be a folder that `rarecall export` wrote"
        raise InputError(str(folder), [Fault(str(folder), rule, f"none of: {', '.join(needed)}")])
    return load_experiment(folder / EXPERIMENT_FILE).experiment


def _source(options: PredictOptions, experiment: Experiment) -> Source:
    data = experiment.data
    if data.image is not None and options.text:
        raise InputError("--text", [Fault("--text", "must be left out: the model takes images", repr(options.text[0]))])
    carried = None if options.keep else tuple(name for name in (options.id,) if name is not None)
    return Source(options.input, options.text or data.text, data.image, carried, options.reading)


def _check_rows(source: Source, found: Survey, skip: bool) -> None:
    if found.unusable and not skip:
        faults = list(found.faults)
        if found.unusable > len(faults):
            faults.append(Fault("…", f"and {found.unusable - len(faults):,} more"))
        raise InputError(f"{source.path} (--on-bad-row skip goes on without such rows)", faults)


def _carried(options: PredictOptions, source: Source, found: Survey) -> tuple[str, ...]:
    """Columns of the input that the output has too; the pixels of an array are none."""
    pixels = source.image if options.input.suffix.lower() == ".npz" else None
    names = found.columns if options.keep else (options.id,)
    return tuple(name for name in names if name is not None and name != pixels)


def _identity(options: PredictOptions, source: Source) -> dict[str, object]:
    """What must be the same for a run to go on."""
    names = (*WEIGHT_FILES, DECISION_RULE_FILE, EXPERIMENT_FILE, CALIBRATION_FILE, PREDICTIONS_NAME)
    files = [options.folder / name for name in names]
    return {
        "model": [_digest(path) for path in files if path.is_file()],
        "input": _digest(options.input) if options.input.is_file() else _listing(options.input),
        "input columns": source.inputs,
        "reading": asdict(options.reading),
        "--prevalence": options.prevalence,
        "--abstain": options.abstain,
    }


def _listing(folder: Path) -> list[str]:
    """Names and sizes of what is in a folder."""
    return [f"{one.relative_to(folder)} {one.stat().st_size}" for one in sorted(folder.rglob("*")) if one.is_file()]


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def _engine(
    options: PredictOptions, experiment: Experiment, task: Task, say: Callable[[str], None]
) -> Iterator[Engine]:
    if options.ray:
        # Whoever predicts on one machine need not wait for Ray's import.
        from rarecall.search.predict.ray_engine import ray_engine  # noqa: PLC0415

        labels, plugins = task.label_space, in_force(experiment.plugins)
        with ray_engine(
            options.folder, experiment, labels, options.batch_size, options.threads, options.address, say, plugins
        ) as engine:
            yield engine
        return
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    yield LocalEngine(open_predictor(options.folder, experiment, options.batch_size))


def _write_all(
    engine: Engine,
    task: Task,
    source: Source,
    output: PredictionOutput,
    carried: tuple[str, ...],
    finishing: Finishing,
    line: ProgressLine,
) -> int:
    """Gives the number of answers that cannot be read."""
    unread, after = 0, output.rows
    rest = (row for row in unlabelled(source) if row.number >= after)
    for rows, predictions in engine.predicted(chunks(rest, CHUNK_ROWS), line.advance):
        line.advance(sum(row.fault is not None for row in rows))
        told, review = finishing.both(predictions)
        _remember(output, told, review, finishing)
        output.append(table_columns(rows, told, task, carried, review))
        if predictions is not None and predictions.unreadable is not None:
            unread += sum(answer is not None for answer in predictions.unreadable)
    return unread


def _remember(
    output: PredictionOutput, predictions: Predictions | None, review: BoolArray | None, finishing: Finishing
) -> None:
    """Add what the summary tells of some rows to that of the rows before them."""
    if predictions is None:
        return
    tally, told = finishing.tally(predictions), output.told
    output.told = {
        "tally": asdict(Tally.from_plain(told["tally"]) + tally if "tally" in told else tally),
        "review": int(told.get("review", 0)) + (0 if review is None else int(review.any(axis=1).sum())),
    }


def _tell_summary(output: PredictionOutput, finishing: Finishing, say: Callable[[str], None]) -> None:
    if finishing.bands:
        say(f"{output.told.get('review', 0):,} rows go to a person; `review` says for which class")
    if "tally" in output.told:
        say("\n".join(summary_lines(Tally.from_plain(output.told["tally"]), finishing)))


def _tell_skipped(found: Survey, console: Console) -> None:
    if not found.unusable:
        return
    say = partial(console.print, markup=False, highlight=False, soft_wrap=True)
    say(f"skipped {found.unusable:,} rows that cannot be used; `error` says why in each")
    for fault in found.faults:
        say(f"  {fault}")
    if found.unusable > len(found.faults):
        say(f"  … and {found.unusable - len(found.faults):,} more")
