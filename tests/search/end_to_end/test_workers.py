"""A search in two slots of two workers each trains what one worker in one slot would."""

import json
from pathlib import Path

import pytest

from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.run import TrialRecord
from rarecall.search.experiment.yaml_file import write_yaml
from rarecall.trainables.models.bases import BaseModel
from tests.command_line import rarecall

EXPERIMENT = {
    "name": "shared",
    "data": {"path": "rows.jsonl", "label": "label", "split": {"validation": 0.25, "test": 0}},
    "task": {"kind": "multiclass"},
    "model": {"max_length": 16, "lora": {"rank": 4, "dropout": 0.0, "layers": "last 1"}},
    "training": {
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 3.0e-3,
        "class_weights": {"strength": 1.0},
        "precision": "fp32",
    },
    "space": {
        "training.learning_rate": {"low": 1.0e-3, "high": 1.0e-2, "log": True},
        "training.oversampling.ratio": {"low": 0.0, "high": 1.0},
    },
    "criteria": ["recall[rare] >= 0.5"],
    # Without a scheduler, and before the sampler learns from results, both searches ask for the same trials.
    "search": {"trials": 4, "stop_early": None, "baselines": False},
}


@pytest.fixture
def folder(still_minilm: BaseModel, tmp_path: Path) -> Path:
    rows = [{"text": f"{'rare' if i % 4 == 0 else 'common'} words in row {i}"} for i in range(36)]
    labelled = [row | {"label": row["text"].split()[0]} for row in rows]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in labelled))
    base = {"base": still_minilm.source}
    write_yaml(tmp_path / "experiment.yaml", {**EXPERIMENT, "model": {**EXPERIMENT["model"], **base}})
    return tmp_path


def searched(folder: Path, address: str, slots: int, workers: int) -> dict[str, TrialRecord]:
    changes = {"name": f"{slots}x{workers}", "resources.slots": slots, "resources.workers": workers}
    assignments = [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]
    rarecall(folder, "tune", "experiment.yaml", "--address", address, *assignments)
    return read_ledger(folder / "runs" / changes["name"]).trials


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_slots_of_two_workers_train_what_one_worker_would(local_ray: str, folder: Path) -> None:
    shared, alone = searched(folder, local_ray, 2, 2), searched(folder, local_ray, 1, 1)
    assert sorted(shared) == sorted(alone) == ["t0001", "t0002", "t0003", "t0004"]
    for name, record in shared.items():
        other = alone[name]
        assert record.params == pytest.approx(other.params)
        assert [row.epoch for row in record.epochs] == [row.epoch for row in other.epochs] == [1, 2]
        for one, two in zip(record.epochs, other.epochs, strict=True):
            assert one.train_loss == pytest.approx(two.train_loss, abs=1e-4)
            assert one.confusion == two.confusion
            assert dict(one.metrics) == pytest.approx(dict(two.metrics), abs=1e-4, nan_ok=True)
