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
    from rarecall.analysis.runs.leaderboard import baselines_json
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
