"""What a search tells of its data before it trains."""

import io
import json

import yaml
from rich.console import Console

from rarecall.search.engine.preparation.data import prepare_data
from rarecall.search.experiment.schema import load_experiment
from rarecall.trainables.models.bases import resolve_base


def test_rows_with_several_labels_are_counted_once(tmp_path):
    """Of 40 rows, 20 have both labels, 12 one and 8 none: 52 labels."""
    sets = [["a", "b"]] * 20 + [["a"]] * 12 + [[]] * 8
    rows = [{"text": f"row number {place} says something", "labels": labels} for place, labels in enumerate(sets)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    experiment = {
        "name": "labels",
        "data": {"path": "rows.jsonl", "label": "labels", "split": {"validation": 0.25, "test": 0.25}},
        "task": {"kind": "multilabel", "labels": ["a", "b"]},
        "model": {"base": "tiny-bert", "adapter": "none", "max_length": 8},
        "space": {"training.learning_rate": {"low": 0.001, "high": 0.01}},
    }
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    told = io.StringIO()
    data = prepare_data(
        load_experiment(tmp_path / "experiment.yaml"), resolve_base("tiny-bert"), Console(file=told, width=100)
    )
    lines = [line.split() for line in told.getvalue().splitlines()[:3]]
    assert [line[0] for line in lines] == ["train", "validation", "test"]
    assert [int(line[1]) for line in lines] == [len(data.train), len(data.validation), len(data.test)]
    assert sum(int(line[1]) for line in lines) == 40
    # What the classes have is told beside it, 32 and 20 in all.
    assert [sum(int(line[place]) for line in lines) for place in (4, 7)] == [32, 20]
