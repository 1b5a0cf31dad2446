"""The command line. Heavy imports happen inside the commands: reading a finished run needs no torch and no Ray."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from analysis.errors import RarecallError

if TYPE_CHECKING:
    from analysis.standings import RankBy

EXPERIMENT = click.argument("experiment", type=click.Path(path_type=Path))
RUN = click.argument("run", type=click.Path(path_type=Path))
SET = click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Override a key; may be repeated.")
ADDRESS = click.option(
    "--address", metavar="ADDRESS", help="Join a running Ray cluster, e.g. `auto` or ray://host:10001."
)
RESUME = click.option("--resume", is_flag=True, help="Go on with the run that is there.")
QUICK = click.option("--quick", is_flag=True, help="A quick look: 200 training rows, 3 epochs, 4 trials at most.")
SAMPLE = click.option("--sample", type=click.IntRange(min=2), metavar="N", help="Train on N rows, stratified.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Delete the run that is there and start anew.")

CRITERIA = click.option(
    "--criteria",
    metavar="FILE|LINE",
    multiple=True,
    help='A line such as "recall[rare] >= 0.4", or a file of them or an experiment; may be repeated.',
)
MINORITY = click.option("--minority", metavar="A,B", help="The classes that matter; by default all but the largest.")
CLASSES = click.option("--classes", metavar="A,B,C", help="All classes, ascending where they are grades.")
TIERS = click.option("--tiers", metavar="A=0,B=4", help="Tiers of the overall score with their lower bounds.")
WEIGHTS = click.option("--weights", metavar="X=.5,Y=.5", help="Of the dimensions in the overall score; default equal.")
LEVEL = click.option(
    "--level", type=click.FloatRange(0.5, 1, max_open=True), default=0.9, show_default=True, help="Of the intervals."
)
JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def main() -> None:
    """Entry point: what a user can mend ends with exit code 2 and no traceback; Ctrl-C with 130."""
    try:
        sys.exit(rarecall(standalone_mode=False))
    except RarecallError as error:
        click.echo(f"rarecall: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rarecall")
def rarecall() -> None:
    """Find the fine-tuning configuration that recalls the rare classes without giving up the common ones."""


@rarecall.command()
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="JSONL file to write.")
@click.option("--rows", type=click.IntRange(min=100), default=2080, show_default=True)
@click.option("--seed", default=7, show_default=True)
def generate(output: Path, rows: int, seed: int) -> None:
    """Write the embedded demo data: articles about technology, scored in three dimensions, few of them deployed."""
    from trainables.articles import write_articles

    write_articles(output, rows, seed)
    click.echo(f"wrote {rows:,} articles to {output}")


@rarecall.command()
@EXPERIMENT
@SET
@click.option("--png", type=click.Path(path_type=Path), help="Draw the counts and ratios to this file.")
@JSON
def profile(experiment: Path, assignments: tuple[str, ...], png: Path | None, as_json: bool) -> None:
    """Show how rare the classes of EXPERIMENT are, and what its settings make of them, before anything is trained."""
    from analysis.profile_text import render
    from analysis.strict_json import dumps
    from search.experiment import load_experiment
    from search.overrides import parse_assignments
    from search.profile import profile_of

    found = profile_of(load_experiment(experiment, parse_assignments(assignments)))
    click.echo(dumps(found.plain(), indent=2) if as_json else render(found, Console().width), nl=as_json)
    if png is not None:
        from analysis.profile_figure import draw

        draw(found, png)
        click.echo(f"wrote {png}", err=as_json)


@rarecall.command()
@EXPERIMENT
@SET
@click.option("--no-measure", is_flag=True, help="Train no steps: rows, criteria, epochs and memory only.")
@JSON
def estimate(experiment: Path, assignments: tuple[str, ...], no_measure: bool, as_json: bool) -> None:
    """Say what the search of EXPERIMENT would cost, and whether its validation rows can decide its criteria at all."""
    from analysis.strict_json import dumps
    from search.estimate import estimate as find
    from search.estimate_text import render
    from search.experiment import load_experiment
    from search.overrides import parse_assignments

    loaded = load_experiment(experiment, parse_assignments(assignments))
    found = find(loaded, Console(stderr=True), measure=not no_measure)
    click.echo(dumps(found.plain(), indent=2) if as_json else render(found, Console().width), nl=as_json)


@rarecall.command()
@EXPERIMENT
@SET
@QUICK
@SAMPLE
@RESUME
@OVERWRITE
@ADDRESS
def tune(
    experiment: Path,
    assignments: tuple[str, ...],
    quick: bool,
    sample: int | None,
    resume: bool,
    overwrite: bool,
    address: str | None,
) -> None:
    """Search for the configuration that meets the criteria of EXPERIMENT and recalls its rare classes best."""
    loaded = _loaded(experiment, assignments, quick, sample)
    _launch(loaded, loaded.run_folder(), resume, overwrite, address)


@rarecall.command()
@EXPERIMENT
@SET
@QUICK
@SAMPLE
@RESUME
@OVERWRITE
@ADDRESS
def train(
    experiment: Path,
    assignments: tuple[str, ...],
    quick: bool,
    sample: int | None,
    resume: bool,
    overwrite: bool,
    address: str | None,
) -> None:
    """Train the one configuration that EXPERIMENT itself describes, without a search."""
    loaded = _loaded(experiment, assignments, quick, sample).without_search()
    _launch(loaded, loaded.run_folder(), resume, overwrite, address)


def _loaded(experiment: Path, assignments: tuple[str, ...], quick: bool, sample: int | None) -> Any:
    """The experiment with what the command line changes; `--set` has the last word."""
    from search.experiment import load_experiment
    from search.overrides import parse_assignments
    from search.quick import scaled_down

    overrides = parse_assignments(assignments)
    loaded = load_experiment(experiment, overrides)
    smaller = scaled_down(loaded.experiment, quick, sample)
    return load_experiment(experiment, {**smaller, **overrides}) if smaller else loaded


def _launch(loaded: Any, folder: Path, resume: bool, overwrite: bool, address: str | None) -> None:
    from search.experiment import load_experiment
    from search.finals import FinalsOptions, run_finals
    from search.launch import LaunchOptions, launch
    from search.run_folder import EXPERIMENT_FILE, find_run

    console = Console()
    shown = _relative(folder)
    try:
        run = launch(loaded, LaunchOptions(folder, resume, overwrite, address), console)
        if chosen := loaded.experiment.search.finalists:
            options = FinalsOptions(chosen.count, chosen.folds, address=address)
            run = run_finals(load_experiment(folder / EXPERIMENT_FILE), find_run(folder), options, console)
    except KeyboardInterrupt:
        click.echo(f"\nstopped; everything finished so far is kept in {shown}\ngo on with: {_this_command()} --resume")
        raise
    _print_leaderboard(run, console.width, limit=10)
    click.echo(f"\nrarecall leaderboard {shown}\nrarecall export {shown} -o exported/{folder.name}")


def _this_command() -> str:
    """What the user typed, without what would start anew."""
    return shlex.join(["rarecall", *(part for part in sys.argv[1:] if part not in ("--resume", "--overwrite"))])


@rarecall.command()
@RUN
@click.option("--csv", "form", flag_value="csv", help="All trials with all figures, as CSV.")
@click.option("--json", "form", flag_value="json", help="The same as JSON.")
@click.option("--limit", type=click.IntRange(min=1), help="Show this many trials (text only).")
@click.option(
    "--rank-by",
    type=click.Choice(["criteria", "objective", "probability", "lower_bound"]),
    default="criteria",
    show_default=True,
    help="What decides the order first; docs/verdicts.md tells each.",
)
def leaderboard(run: Path, form: str | None, limit: int | None, rank_by: "RankBy") -> None:
    """Rank the trials of RUN: criteria first, then minority recall; each counts with its best epoch."""
    from analysis.leaderboard import leaderboard as rank
    from analysis.leaderboard import to_csv, to_json
    from analysis.ledger import read_ledger

    records = read_ledger(run)
    for problem in records.problems:
        click.echo(f"left out: {problem}", err=True)
    if form == "csv":
        click.echo(to_csv(rank(records, rank_by)), nl=False)
    elif form == "json":
        click.echo(to_json(rank(records, rank_by), records))
    else:
        _print_leaderboard(records, Console().width, limit, rank_by)


def _print_leaderboard(run: Any, width: int, limit: int | None, rank_by: "RankBy" = "criteria") -> None:
    from analysis.finalists import finalists as finalists_of
    from analysis.finalists_text import finalists_text
    from analysis.leaderboard import leaderboard as rank
    from analysis.leaderboard import to_text

    click.echo(to_text(rank(run, rank_by), run, width, limit=limit))
    if finals := finalists_of(run):
        click.echo(f"\n{finalists_text(finals, run, width)}")


@rarecall.command()
@RUN
@click.option("--count", type=click.IntRange(min=1), default=3, show_default=True, help="How many of the best trials.")
@click.option(
    "--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Parts the rows are divided in."
)
@OVERWRITE
@ADDRESS
def finalists(run: Path, count: int, folds: int, overwrite: bool, address: str | None) -> None:
    """Train the best trials of RUN again on other folds and seeds, and name the winner by what all folds say.

    Each row of training and validation data is validation once, so the rare class is judged by all its rows and not by
    the few of one split. What is there already is not trained again.
    """
    from analysis.finalists import finalists as finalists_of
    from analysis.finalists_text import finalists_text
    from search.experiment import load_experiment
    from search.finals import FinalsOptions, run_finals
    from search.run_folder import find_run

    console = Console()
    folder = find_run(run.resolve())
    try:
        done = run_finals(
            load_experiment(folder.experiment), folder, FinalsOptions(count, folds, overwrite, address), console
        )
    except KeyboardInterrupt:
        click.echo(f"\nstopped; go on with: rarecall finalists {run} --count {count} --folds {folds}")
        raise
    click.echo(finalists_text(finalists_of(done), done, console.width))


@rarecall.command()
@click.argument("target")
@CRITERIA
@MINORITY
@CLASSES
@TIERS
@WEIGHTS
@LEVEL
@JSON
@click.option("--data", type=click.Path(path_type=Path), help="Labelled rows for the exported model in TARGET.")
def evaluate(
    target: str, criteria: tuple[str, ...], level: float, as_json: bool, data: Path | None, **options: Any
) -> None:
    """Say what predictions are worth: TARGET is a Parquet, CSV or JSON Lines file of them, RUN or RUN:TRIAL.

    A file needs the columns `true` and `predicted` (or `probability.<class>`), or scores as `true.<dimension>` and
    `predicted.<dimension>` with --tiers. With --data, TARGET is the folder of an export, which predicts those rows.
    """
    from analysis.evaluation import evaluated
    from analysis.evaluation_text import render
    from analysis.strict_json import dumps
    from analysis.targets import open_target
    from search.evaluate import meaning, read_criteria

    if data is None:
        opened = open_target(target, meaning(**options))
    else:
        from search.predict_labelled import model_target

        opened = model_target(Path(target), data)
    wanted = read_criteria(criteria, opened.labels) or opened.criteria
    result = evaluated(opened.name, opened.predictions, opened.labels, wanted, level)
    click.echo(dumps(result.plain(), indent=2) if as_json else render(result, Console().width), nl=as_json)


@rarecall.command()
@click.argument("targets", nargs=-1, required=True)
@MINORITY
@CLASSES
@TIERS
@WEIGHTS
@LEVEL
@JSON
def compare(targets: tuple[str, ...], level: float, as_json: bool, **options: Any) -> None:
    """Hold each of TARGETS against the first one, on the same rows: RUN:TRIAL, RUN (its winner) or files."""
    from analysis.comparison import compared
    from analysis.comparison_text import render
    from analysis.strict_json import dumps
    from search.evaluate import meaning, open_alike

    opened = open_alike(targets, meaning(**options))
    results = [compared(opened[0], other, level) for other in opened[1:]]
    if as_json:
        click.echo(dumps([result.plain() for result in results], indent=2))
    else:
        click.echo("\n".join(render(result, Console().width) for result in results), nl=False)


@rarecall.command()
@click.argument("target")
@click.option("--write", type=click.Path(path_type=Path), help="Experiment file to write, with the changes made.")
@JSON
def diagnose(target: str, write: Path | None, as_json: bool) -> None:
    """Say why TARGET, RUN (its winner) or RUN:TRIAL, is not better, and which settings to change."""
    from analysis.diagnosis import applied
    from analysis.diagnosis import diagnose as find
    from analysis.diagnosis_text import render
    from analysis.strict_json import dumps
    from search.diagnose import open_case, write_advised

    case = open_case(target)
    signs = find(case)
    if as_json:
        click.echo(dumps({"trial": case.record.trial, "signs": [sign.plain() for sign in signs]}, indent=2))
    else:
        click.echo(render(case, signs, Console().width), nl=False)
    if write is not None:
        changes = applied(signs)
        write_advised(case, changes, write)
        click.echo(f"wrote {write} with {len(changes)} changes; run it with: rarecall train {write}", err=as_json)


@rarecall.command()
@click.argument("target")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="HTML file to write.")
@click.option("--texts", is_flag=True, help="Show the texts of the rare rows, whatever they contain.")
@click.option("--history", is_flag=True, help="Write training_history.json and training_metadata.json beside it.")
@CRITERIA
@MINORITY
@CLASSES
@TIERS
@WEIGHTS
@LEVEL
def report(
    target: str, output: Path, texts: bool, history: bool, criteria: tuple[str, ...], level: float, **options: Any
) -> None:
    """Show TARGET as one HTML file: RUN with its winner, or predictions as `evaluate` takes them."""
    from analysis.report import write_history, write_report
    from search.evaluate import meaning
    from search.report import gathered

    found = gathered(target, criteria, meaning(**options), level, texts=texts)
    for problem in found.problems:
        click.echo(f"left out: {problem}", err=True)
    write_report(output, found)
    if history:
        write_history(output.parent, found)
    click.echo(f"wrote {output}; open it in a browser")


@rarecall.command()
@RUN
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write; must not exist.")
@click.option("--trial", metavar="ID", help="This trial instead of the winner.")
def export(run: Path, output: Path, trial: str | None) -> None:
    """Write the winner of RUN as a folder that transformers and peft load, checked in a fresh process."""
    from search.export import export_trial

    export_trial(run, output, trial, Console())


@rarecall.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("input", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help=".jsonl, .csv or .parquet file.")
@click.option("--text", metavar="COLUMN", multiple=True, help="Column with text; default: as trained.")
@click.option("--id", metavar="COLUMN", help="Hand this column of INPUT on.")
@click.option("--keep", is_flag=True, help="Hand all columns of INPUT on.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Rows per forward pass.")
@click.option("--threads", type=click.IntRange(min=1), help="Of the CPU; by default all cores.")
@click.option("--on-bad-row", type=click.Choice(["stop", "skip"]), default="stop", show_default=True)
@click.option("--overwrite", is_flag=True, help="Start anew instead of going on with what is there.")
def predict(on_bad_row: str, **options: Any) -> None:
    """Write what the model in FOLDER, an export, says about the rows of INPUT (JSONL, CSV, TSV, Parquet or .npz).

    Rows keep their order. Killed and started again, it goes on after the last row that is written.
    """
    from search.predict import PredictOptions
    from search.predict import predict as run

    run(PredictOptions(skip=on_bad_row == "skip", **options), Console(stderr=True))


def _relative(folder: Path) -> Path:
    """A path as short as a user would type it."""
    try:
        return folder.relative_to(Path.cwd())
    except ValueError:
        return folder


if __name__ == "__main__":
    main()
