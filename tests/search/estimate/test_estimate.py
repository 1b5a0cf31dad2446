import json
import math

import pytest
from click.testing import CliRunner
from rich.console import Console

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.search.cli import rarecall
from rarecall.search.cluster.session import layout_within
from rarecall.search.display.estimate import render
from rarecall.search.estimate.cost import estimate, outlook
from rarecall.search.estimate.epochs import Work
from rarecall.search.experiment.schema import ResourcesConfig, load_experiment
from rarecall.search.experiment.yaml_file import write_yaml

COUNTS = {"common": 400, "rare": 40, "rarest": 10}
TIERS = LabelSpace(("low", "middle", "high"), ("middle", "high"))


@pytest.fixture
def experiment(tmp_path):
    rows = [{"text": f"an engine of {name} {i}", "label": name} for name, n in COUNTS.items() for i in range(n)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    tree = {
        "name": "made",
        "data": {"path": "rows.jsonl", "label": "label", "split": {"validation": 0.1, "test": 0.1}},
        "task": {"kind": "multiclass"},
        "model": {"max_length": 16, "lora": {"layers": "last 1"}},
        "training": {"epochs": 9, "batch_size": 8},
        "space": {"training.oversampling.ratio": {"low": 0.0, "high": 1.0}},
        "criteria": ["recall[*] >= 0.4", "accuracy >= 0.5", "macro_f1 >= 0.5"],
        "search": {"trials": 27, "stop_early": {"grace_epochs": 1, "reduction": 3}},
        "resources": {"slots": 1},
    }
    write_yaml(tmp_path / "made.yaml", tree)
    return tmp_path / "made.yaml"


def test_costs_follow_from_what_was_measured(experiment):
    found = estimate(load_experiment(experiment), Console(quiet=True))
    measured = found.measured
    assert measured.device == "cpu"
    assert measured.validate > 0
    assert measured.train > 0
    assert measured.freeze > 0
    # 320 common rows, and 160 of each other class at the middle of the range, 0.5.
    assert (found.epoch_rows, found.validation_rows) == (640, 45)
    two = Work(epochs=2, passes=2.0)
    assert found.seconds(two) == pytest.approx(2 * (640 * measured.train + 45 * measured.validate))
    assert found.wall(two) == pytest.approx(found.seconds(two) + measured.freeze * (360 + 45))  # one slot
    # MiniLM has 384 numbers of 4 bytes for each token, of which every row has 6 to 9.
    assert 405 * 6 * 384 * 4 < found.states < 405 * 12 * 384 * 4
    # Adapter, head and pooler in single precision and twice as much of AdamW's moments, at least.
    assert measured.checkpoint > 3 * 4 * (384 * 384 + 384)
    assert found.checkpoint_bytes == 2 * 27 * measured.checkpoint
    text = render(found, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "CPU-hours" in text


def test_few_rows_at_first_cost_less(experiment):
    """36 of 360 rows in epoch 1, 108 in epochs 2 and 3, then all: 27 · 0.1 + 9 · 2 · 0.3 + 3 · 6 = 26.1 passes."""
    changes = {"search.rows": 36, "search.stop_early.grow_rows": True}
    found = estimate(load_experiment(experiment, changes), Console(quiet=True), measure=False)
    assert found.epochs.usual.epochs == 63
    assert found.epochs.usual.passes == pytest.approx(26.1)
    assert found.epoch_rows == 640
    assert "at most 640 training and 45 validation rows an epoch" in " ".join(render(found, 80).split())


def test_the_best_is_trained_again_where_epochs_take_a_part_of_the_rows(experiment):
    changes = {"search.rows": 36, "search.refit": 2}
    found = estimate(load_experiment(experiment, changes), Console(quiet=True), measure=False)
    assert found.epochs.most.passes == pytest.approx(27 * 9 * 0.1)
    assert (found.refit_epochs, found.refit_rows) == (2 * 9, 640)
    none = estimate(load_experiment(experiment, {**changes, "search.refit": 0}), Console(quiet=True), measure=False)
    assert (none.refit_epochs, none.refit_rows) == (0, 0)


def test_folds_hold_out_every_row_and_train_on_the_others(experiment):
    """360 rows to train on and 45 to validate: 5 folds train on 4 · 405 / 360 times as many rows as one split does."""
    without = estimate(load_experiment(experiment), Console(quiet=True), measure=False)
    found = estimate(load_experiment(experiment, {"data.folds": 5}), Console(quiet=True), measure=False)
    assert (without.validation_rows, found.validation_rows) == (45, 405)
    assert found.epoch_rows == round(without.epoch_rows * 4 * 405 / 360)
    decided = [one.decidability.rows for one in found.outlooks if one.decidability]
    assert decided == [9, 405]  # 8 and 1 rows of the rarest class


def test_a_space_from_the_labels_is_estimated_as_it_will_be_searched(experiment):
    """8 rows of the rarest class for 320 of the largest: from 0.025 to 1. The geometric middle is 0.158, 50 rows."""
    found = estimate(load_experiment(experiment, {"space": "auto"}), Console(quiet=True), measure=False)
    assert found.epoch_rows == 320 + 50 + 50
    assert {key: searched for key, searched, _ in found.searched}["training.oversampling.ratio"] == "0.025 to 1, log"
    for width in (80, 120):
        lines = render(found, width).splitlines()
        assert max(map(len, lines)) <= width
        assert any(line.startswith("space  training.oversampling.ratio") for line in lines)


def test_without_measuring_there_is_no_time(experiment):
    result = CliRunner().invoke(rarecall, ["estimate", str(experiment), "--no-measure"])
    assert result.exit_code == 0, result.output
    assert "Time was not measured" in result.output
    assert "cannot be met" in result.output  # one row of the rarest
    as_json = CliRunner().invoke(rarecall, ["estimate", str(experiment), "--no-measure", "--json"])
    told = json.loads(as_json.stdout)
    assert told["costs"]["usual"] == {
        "epochs": 63,
        "passes": 63.0,
        "slot_seconds": None,
        "wall_seconds": None,
    }
    assert [one["decided_by"] for one in told["criteria"]] == ["rarest", "", ""]
    assert "least" not in told["criteria"][2]  # a mean over classes


@pytest.mark.parametrize(
    ("text", "rows", "decided_by"),
    [
        ("recall[high] >= 0.4", 3, ""),
        ("recall[*] >= 0.4", 3, "high"),
        ("recall[any] >= 0.4", 20, "middle"),
        ("recall[all] >= 0.4", 3, "high"),
        ("precision[middle] >= 0.4", 20, ""),
        ("accuracy >= 0.4", 123, ""),
    ],
)
def test_a_criterion_is_as_decidable_as_its_rows(text, rows, decided_by):
    found = outlook(parse(text, TIERS.minority), {"low": 100, "middle": 20, "high": 3}, TIERS, 123)
    assert (found.decidability.rows, found.decided_by) == (rows, decided_by)


@pytest.mark.parametrize("text", ["minority_recall >= 0.4", "mae <= 1.5", "recall[high]@script=kana >= 0.4"])
def test_what_is_no_share_of_rows_is_not_told_beforehand(text):
    counts = {"low": 100, "middle": 20, "high": 3}
    assert outlook(parse(text, TIERS.minority), counts, TIERS, 123).decidability is None


def test_slots_are_counted_without_ray():
    resources = ResourcesConfig(workers=2, cpus_per_worker=1.5)
    assert layout_within(resources, trials=9, cpus=10, gpus=0).slots == 3  # of 3 CPUs each
    assert layout_within(resources, trials=2, cpus=10, gpus=0).slots == 2
    assert layout_within(ResourcesConfig(gpus_per_worker=0.25), trials=9, cpus=10, gpus=1).slots == 4
    assert math.isclose(layout_within(ResourcesConfig(), trials=9, cpus=10, gpus=2).gpus, 1.0)
