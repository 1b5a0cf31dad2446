"""Commands that read what is there: runs, predictions, exported folders. They need neither torch nor Ray for runs."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from rarecall.search.commands.help import READ, command
from rarecall.search.commands.options import CRITERIA, JSON, RUN, TRUST, meaning_options
from rarecall.search.commands.printing import echo, echo_json, print_leaderboard, print_notes

if TYPE_CHECKING:
    from rarecall.analysis.report import Form
    from rarecall.analysis.runs.ranking.standings import RankBy


@command(
    READ,
    "Rank the trials of a run by the criteria.",
    "rarecall leaderboard runs/threats",
    "rarecall leaderboard runs/threats --json > trials.json",
)
@TRUST
@RUN
@click.option("--csv", "form", flag_value="csv", help="All trials with all figures, as CSV.")
@click.option("--json", "form", flag_value="json", help="The same as JSON.")
@click.option("--raw", is_flag=True, help="With --csv: no apostrophe before what a spreadsheet would run as a formula.")
@click.option("--limit", type=click.IntRange(min=1), help="Show this many trials (text only).")
@click.option(
    "--rank-by",
    type=click.Choice(["criteria", "objective", "probability", "lower_bound", "expected"]),
    default="criteria",
    show_default=True,
    help="What decides the order first; docs/verdicts.md tells each.",
)
def leaderboard(run: Path, form: str | None, raw: bool, limit: int | None, rank_by: "RankBy") -> None:
    """Rank the trials of RUN: criteria met, what the others lack, the objective; each counts with its best epoch."""
    from rarecall.analysis.runs.ledger import read_ledger
    from rarecall.analysis.runs.ranking.leaderboard import leaderboard as rank
    from rarecall.analysis.runs.ranking.leaderboard import to_csv, to_json

    records = read_ledger(run)
    for problem in records.problems:
        echo(f"left out: {problem}", err=True)
    if form == "csv":
        echo(to_csv(rank(records, rank_by), records, raw=raw), nl=False)
    elif form == "json":
        echo_json(to_json(rank(records, rank_by), records))
    else:
        print_leaderboard(records, Console().width, limit, rank_by)


@command(
    READ,
    "Say what predictions are worth, whoever made them.",
    'rarecall evaluate predictions.csv --criteria "recall[threat] >= 0.6"',
)
@TRUST
@click.argument("target")
@CRITERIA
@meaning_options
@JSON
@click.option("--data", type=click.Path(path_type=Path), help="Labelled rows for the exported model in TARGET.")
def evaluate(
    target: str, criteria: tuple[str, ...], level: float, as_json: bool, data: Path | None, **options: Any
) -> None:
    """Say what predictions are worth: TARGET is a Parquet, CSV or JSON Lines file of them, RUN or RUN:TRIAL.

    A file needs the columns `true` and `predicted` (or `probability.<class>`), or scores as `true.<dimension>` and
    `predicted.<dimension>` with --tiers. With --data, TARGET is the folder of an export, which predicts those rows.
    """
    from rarecall.analysis.evaluation.targets import open_target
    from rarecall.analysis.strict_json import dumps
    from rarecall.analysis.text.evaluation import render
    from rarecall.search.review.criteria import read_criteria
    from rarecall.search.review.evaluate import meaning

    if data is None:
        opened = open_target(target, meaning(**options, criteria=criteria))
    else:
        from rarecall.search.predict.labelled import model_target

        opened = model_target(Path(target), data)
    print_notes(opened.notes)
    result = opened.evaluated(read_criteria(criteria, opened.labels) or opened.criteria, level)
    echo_json(dumps(result.plain(), indent=2)) if as_json else echo(render(result, Console().width), nl=False)


@command(
    READ,
    "Write the splits of a run, for other models.",
    "rarecall split runs/threats -o splits",
)
@TRUST
@RUN
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write; must not exist.")
def split(run: Path, output: Path) -> None:
    """Write the splits of RUN as JSON Lines, to compare any other model on the same rows.

    Each line has the columns of the data, the row number and the true class.
    """
    from rarecall.analysis.runs.ledger import read_ledger
    from rarecall.search.review.splits import write_splits

    counts = write_splits(read_ledger(run), output)
    echo(f"wrote {', '.join(f'{name}.jsonl ({rows:,} rows)' for name, rows in counts.items())} to {output}")
    if "test" in counts:
        echo("Choose by the validation rows, and measure on the test rows once, at the end.")


@command(
    READ,
    "Compare models on the same rows, with intervals.",
    "rarecall compare runs/threats runs/threats:baseline-features",
)
@TRUST
@click.argument("targets", nargs=-1, required=True)
@meaning_options
@JSON
def compare(targets: tuple[str, ...], level: float, as_json: bool, **options: Any) -> None:
    """Compare each of TARGETS with the first one, on the same rows: RUN:TRIAL, RUN (its winner) or files."""
    from rarecall.analysis.evaluation.comparison import compared
    from rarecall.analysis.strict_json import dumps
    from rarecall.analysis.text.comparison import render
    from rarecall.search.review.evaluate import meaning, open_alike

    opened = open_alike(targets, meaning(**options))
    print_notes([note for one in opened for note in one.notes])
    results = [compared(opened[0], other, level) for other in opened[1:]]
    if as_json:
        echo_json(dumps([result.plain() for result in results], indent=2))
    else:
        echo("\n".join(render(result, Console().width) for result in results), nl=False)


@command(
    READ,
    "Say why a winner is not better, and what to change.",
    "rarecall diagnose runs/threats --write next.yaml",
)
@TRUST
@click.argument("target")
@click.option("--write", type=click.Path(path_type=Path), help="Experiment file to write, with the changes made.")
@JSON
def diagnose(target: str, write: Path | None, as_json: bool) -> None:
    """Say why TARGET, RUN (its winner) or RUN:TRIAL, is not better, and which settings to change."""
    from rarecall.analysis.diagnosis import applied
    from rarecall.analysis.diagnosis import diagnose as find
    from rarecall.analysis.diagnosis.text import render
    from rarecall.analysis.strict_json import dumps
    from rarecall.search.review.diagnose import open_case, write_advised

    case = open_case(target)
    warnings = find(case)
    if as_json:
        echo_json(dumps({"trial": case.record.trial, "warnings": [warning.plain() for warning in warnings]}, indent=2))
    else:
        echo(render(case, warnings, Console().width), nl=False)
    if write is not None:
        changes = applied(warnings)
        write_advised(case, changes, write)
        echo(f"wrote {write} with {len(changes)} changes; run it with: rarecall train {write}", err=as_json)


@command(
    READ,
    "Show a run as a web page, a Word document or figures.",
    "rarecall report runs/threats -o report.html",
)
@TRUST
@click.argument("target")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write, or folder for figures."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "docx", "png"]),
    help="A web page, a Word document or a folder of figures; by default as the ending of --output says.",
)
@click.option("--texts", is_flag=True, help="Show the texts of the rare rows, whatever they contain.")
@click.option("--history", is_flag=True, help="Write training_history.json and training_metadata.json beside it.")
@CRITERIA
@meaning_options
def report(
    target: str,
    output: Path,
    form: "Form | None",
    texts: bool,
    history: bool,
    criteria: tuple[str, ...],
    level: float,
    **options: Any,
) -> None:
    """Show TARGET as a web page, a Word document or figures: RUN with its winner, or what `evaluate` takes."""
    from rarecall.analysis.report import form_of, write_history, write_report
    from rarecall.search.review.evaluate import meaning
    from rarecall.search.review.report import gathered

    form = form_of(output, form)
    found = gathered(target, criteria, meaning(**options, criteria=criteria), level, texts=texts)
    for problem in found.problems:
        echo(f"left out: {problem}", err=True)
    for reason in write_report(output, found, form):
        echo(f"left out: {reason}", err=True)
    if history:
        write_history(output if form == "png" else output.parent, found)
    hint = {"html": "; open it in a browser", "docx": "", "png": ", a folder of figures"}[form]
    echo(f"wrote {output}{hint}")
