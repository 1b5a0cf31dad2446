"""Before anything is trained: demo data, the label profile, the estimate."""

from pathlib import Path

import click
from rich.console import Console

from rarecall.search.commands.help import FIRST, command
from rarecall.search.commands.options import EXPERIMENT, JSON, SET, TRUST
from rarecall.search.commands.printing import echo, echo_json


@command(
    FIRST,
    "Write the demo data: articles, few of them deployed.",
    "rarecall generate -o data/articles.jsonl",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="JSONL file to write.")
@click.option("--rows", type=click.IntRange(min=100), default=2080, show_default=True)
@click.option("--seed", default=7, show_default=True)
def generate(output: Path, rows: int, seed: int) -> None:
    """Write the embedded demo data: articles about technology, scored in three dimensions, few of them deployed."""
    from rarecall.trainables.demo.articles import write_articles

    write_articles(output, rows, seed)
    echo(f"wrote {rows:,} articles to {output}")


@command(
    FIRST,
    "Write a first experiment for a file of labelled rows.",
    "rarecall init messages.csv",
    "rarecall init messages.csv --text subject,body --label class -o threats.yaml",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--text", metavar="A,B", help="Columns of the text; found out by default.")
@click.option("--label", metavar="A,B", help="Column of the label, or several of 0 and 1; found out by default.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; by default named as the data.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
def init(file: Path, text: str | None, label: str | None, output: Path | None, overwrite: bool) -> None:
    """Look at FILE, find its text and label, and write an experiment for it with a comment on every choice.

    Its criteria are those that the rows can decide; others stand there as comments, with how many rows they need.
    """
    from rarecall.search.draft.writing import write_draft

    output = output or Path(f"{file.name.split('.')[0] or 'draft'}.yaml")
    names = [tuple(part.strip() for part in given.split(",")) if given else () for given in (text, label)]
    write_draft(file, output, *names, overwrite=overwrite, tell=lambda note: echo(f"note: {note}", err=True))
    echo(f"wrote {output}; next: rarecall profile {output}, rarecall tune {output}")


@command(
    FIRST,
    "Show how rare the classes are, and their weights.",
    "rarecall profile experiment.yaml",
)
@EXPERIMENT
@TRUST
@SET
@click.option("--png", type=click.Path(path_type=Path), help="Draw the counts and ratios to this file.")
@JSON
def profile(experiment: Path, assignments: tuple[str, ...], png: Path | None, as_json: bool) -> None:
    """Show how rare the classes of EXPERIMENT are, and what its settings make of them, before anything is trained."""
    from rarecall.analysis.strict_json import dumps
    from rarecall.analysis.text.profile import render
    from rarecall.search.estimate.profile import profile_of
    from rarecall.search.experiment.overrides import parse_assignments
    from rarecall.search.experiment.schema import load_experiment

    found = profile_of(load_experiment(experiment, parse_assignments(assignments)))
    echo_json(dumps(found.plain(), indent=2)) if as_json else echo(render(found, Console().width), nl=False)
    if png is not None:
        from rarecall.analysis.profile.figure import draw

        draw(found, png)
        echo(f"wrote {png}", err=as_json)


@command(
    FIRST,
    "Measure simple models: what you have without a search.",
    "rarecall baseline experiment.yaml --test",
)
@EXPERIMENT
@TRUST
@SET
@click.option("--test", is_flag=True, help="Measure them on the test split, too.")
@JSON
def baseline(experiment: Path, assignments: tuple[str, ...], test: bool, as_json: bool) -> None:
    """Say what simple models reach on EXPERIMENT without a search: majority, TF-IDF or pixels, frozen features."""
    from rarecall.analysis.runs.ranking.leaderboard import baselines_json
    from rarecall.analysis.text.leaderboard import baseline_lines
    from rarecall.search.engine.preparation.baselines import baselines_alone
    from rarecall.search.experiment.overrides import parse_assignments
    from rarecall.search.experiment.schema import load_experiment

    loaded = load_experiment(experiment, parse_assignments(assignments))
    run, measured = baselines_alone(loaded, Console(stderr=True), test=test)
    if as_json:
        echo_json(baselines_json(run, measured))
        return
    width = Console().width
    told = [*baseline_lines(run, width), *(["", *baseline_lines(run, width, measured)] if measured else [])]
    echo("\n".join(told))


@command(
    FIRST,
    "Say what a search costs and what the rows can decide.",
    "rarecall estimate experiment.yaml",
)
@EXPERIMENT
@TRUST
@SET
@click.option("--no-measure", is_flag=True, help="Train no steps: rows, criteria, epochs and memory only.")
@JSON
def estimate(experiment: Path, assignments: tuple[str, ...], no_measure: bool, as_json: bool) -> None:
    """Say what the search of EXPERIMENT would cost, and whether its validation rows can decide its criteria at all."""
    from rarecall.analysis.strict_json import dumps
    from rarecall.search.display.estimate import render
    from rarecall.search.estimate.cost import estimate as find
    from rarecall.search.experiment.overrides import parse_assignments
    from rarecall.search.experiment.schema import load_experiment

    loaded = load_experiment(experiment, parse_assignments(assignments))
    found = find(loaded, Console(stderr=True), measure=not no_measure)
    echo_json(dumps(found.plain(), indent=2)) if as_json else echo(render(found, Console().width), nl=False)
