"""The data of an experiment, read once for all trials, and told."""

from rich.console import Console

from rarecall.search.experiment.schema import LoadedExperiment
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import BaseModel
from rarecall.trainables.models.classifier import check_writer, load_processor


def prepare_data(loaded: LoadedExperiment, base: BaseModel, console: Console) -> PreparedData:
    """Read and encode the data, and tell how many rows of each class are where."""
    if loaded.experiment.loss_target == "tokens":
        check_writer(base)
    data = prepare(loaded.experiment, load_processor(base, loaded.experiment.model.max_length), base=loaded.folder)
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    for split, counts in data.class_counts.items():
        # A row may have several labels, or none: rows are not the sum of what the labels have.
        part = parts.get(split)
        rows = sum(counts.values()) if part is None else len(part)
        told = " · ".join(f"{name} {count:,}" for name, count in counts.items())
        console.print(f"{split:<10} {rows:>7,} rows  {told}", markup=False, highlight=False, soft_wrap=True)
    for note in data.notes:
        console.print(f"note: {note}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    return data
