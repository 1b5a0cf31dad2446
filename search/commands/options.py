"""Options and arguments that several commands have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]

EXPERIMENT = click.argument("experiment", type=click.Path(path_type=Path))
RUN = click.argument("run", type=click.Path(path_type=Path))
SET = click.option("--set", "assignments", metavar="KEY=VALUE", multiple=True, help="Override a key; may be repeated.")
ADDRESS = click.option(
    "--address", metavar="ADDRESS", help="Join a running Ray cluster, e.g. `auto` or ray://host:10001."
)
RESUME = click.option("--resume", is_flag=True, help="Resume the existing run.")
QUICK = click.option("--quick", is_flag=True, help="A quick look: 200 training rows, 3 epochs, 4 trials at most.")
SAMPLE = click.option("--sample", type=click.IntRange(min=2), metavar="N", help="Train on N rows, stratified.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Delete the existing run and start anew.")

CRITERIA = click.option(
    "--criteria",
    metavar="FILE|LINE",
    multiple=True,
    help='A line such as "recall[rare] >= 0.4", or a file of them or an experiment; may be repeated.',
)
MINORITY = click.option("--minority", metavar="A,B", help="The classes that matter; by default all but the largest.")
CLASSES = click.option("--classes", metavar="A,B,C", help="All classes, ascending where they are grades.")
TIERS = click.option("--tiers", metavar="A=0,B=4", help="Tiers of the overall score with their lower bounds.")
TRUE = click.option("--true", metavar="COLUMN", help="Column that says what is true; `true` by default.")
WEIGHTS = click.option("--weights", metavar="X=.5,Y=.5", help="Of the dimensions in the overall score; default equal.")
GATEKEEPER = click.option("--gatekeeper", metavar="X<3=B", help="Below 3 in the dimension X, no higher tier than B.")
MERGE_ALIKE = click.option("--merge-alike", is_flag=True, help="Names that look alike, as Spam and spam, are one.")
LEVEL = click.option(
    "--level", type=click.FloatRange(0.5, 1, max_open=True), default=0.9, show_default=True, help="Of the intervals."
)
JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")


def _trust(context: click.Context, option: click.Parameter, value: bool) -> None:
    """For the rest of the command."""
    from rarecall.analysis.plugins.stored import trusting

    context.with_resource(trusting(value))


TRUST = click.option(
    "--trust-plugins",
    is_flag=True,
    envvar="RARECALL_TRUST_PLUGINS",
    expose_value=False,
    is_eager=True,
    callback=_trust,
    help="Run the plugins that the folder names, whoever wrote them.",
)


def launch_options(command: Command) -> Command:
    """What every command takes that trains what an experiment says."""
    return _with(command, EXPERIMENT, SET, QUICK, SAMPLE, RESUME, OVERWRITE, ADDRESS, TRUST)


def meaning_options(command: Command) -> Command:
    """What says how to read predictions that were made elsewhere."""
    return _with(command, MINORITY, CLASSES, TIERS, WEIGHTS, TRUE, GATEKEEPER, MERGE_ALIKE, LEVEL)


def _with(command: Command, *options: Callable[[Command], Command]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command
