"""Commands about the model that a search hands over: export and predict."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from rarecall.search.commands.help import USE, command
from rarecall.search.commands.options import ADDRESS, RUN, TRUST
from rarecall.search.commands.printing import echo

if TYPE_CHECKING:
    from rarecall.trainables.data.files.options import Quoting

# Exit code of an export that misses a criterion on the test split.
MISSED_ON_TEST = 3


@command(
    USE,
    "Write the winner as a folder for transformers and peft.",
    "rarecall export runs/threats -o threat-model",
)
@TRUST
@RUN
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Folder to write; must not exist.")
@click.option("--trial", metavar="ID", help="This trial instead of the winner.")
@click.option("--force", is_flag=True, help="Even if it misses a criterion; the card then says so.")
@click.option("--merge", is_flag=True, help="Add the adapter to the weights of its base: loads without peft.")
@click.option(
    "--push-to-hub", "repo", metavar="REPO", help="Upload it to the Hugging Face hub too, as a private model."
)
@click.option("--public", is_flag=True, help="With --push-to-hub: everybody may see it.")
def export(public: bool, **options: Any) -> None:
    """Write the winner of RUN as a folder that transformers and peft load, checked in a fresh process.

    A trial that misses one of its criteria is refused. Then the test split is opened: a model that misses a criterion
    there is written all the same, and the command ends with exit code 3.
    """
    if public and not options["repo"]:
        raise click.UsageError("--public is about an upload; add --push-to-hub REPO")
    from rarecall.search.export.command import ExportOptions, export_trial

    exported = export_trial(ExportOptions(public=public, **options), Console())
    if exported.refused and not options["force"]:
        written = f"{exported.folder}: is written, but it misses a criterion on the test split"
        echo(f"rarecall: {written} (--force accepts that)", err=True)
        click.get_current_context().exit(MISSED_ON_TEST)


@command(
    USE,
    "Label the rows of a file with an exported model.",
    "rarecall predict threat-model new.csv -o labelled.csv",
)
@TRUST
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("input", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help=".jsonl, .csv or .parquet file.")
@click.option("--text", metavar="COLUMN", multiple=True, help="Column with text; default: as trained.")
@click.option("--id", metavar="COLUMN", help="Hand this column of INPUT on.")
@click.option("--keep", is_flag=True, help="Hand all columns of INPUT on.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, show_default=True, help="Rows per forward pass.")
@click.option("--threads", type=click.IntRange(min=1), help="Of the CPU; by default all cores, with --ray 4 a worker.")
@click.option("--delimiter", help="Of INPUT; found out by default.")
@click.option("--encoding", help="Of INPUT; found out by default.")
@click.option("--quoting", type=click.Choice(["auto", "standard", "none"]), default="auto", help="auto: none for TSV.")
@click.option("--on-bad-row", type=click.Choice(["stop", "skip"]), default="stop", show_default=True)
@click.option("--prevalence", metavar="CLASS=SHARE", multiple=True, help="How frequent a class is where INPUT is from.")
@click.option(
    "--abstain", metavar="RECALL", multiple=True, help="Such as 'recall[threat] >= 0.95': rows that go to a person."
)
@click.option("--overwrite", is_flag=True, help="Start anew instead of resuming the existing output.")
@click.option("--ray", is_flag=True, help="Spread the rows over the workers of a Ray cluster, or of this machine.")
@ADDRESS
def predict(on_bad_row: str, delimiter: str | None, encoding: str | None, quoting: "Quoting", **options: Any) -> None:
    """Write what the model in FOLDER, an export, says about the rows of INPUT, a data file of any format.

    Rows keep their order. Killed and started again, it resumes after the last row that is written.
    """
    if options["address"] and not options["ray"]:
        raise click.UsageError("--address joins a Ray cluster; add --ray")
    from rarecall.search.predict.command import PredictOptions
    from rarecall.search.predict.command import predict as run
    from rarecall.trainables.data.files.options import FileOptions

    if delimiter is not None and len(delimiter) != 1:
        raise click.BadParameter("must be one character", param_hint="--delimiter")
    reading = FileOptions(delimiter=delimiter, encoding=encoding, quoting=quoting)
    run(PredictOptions(skip=on_bad_row == "skip", reading=reading, **options), Console(stderr=True))
