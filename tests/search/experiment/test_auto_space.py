from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.search.experiment.auto_space import derive_space, space_lines, with_space
from rarecall.search.experiment.schema import load_experiment
from rarecall.search.experiment.space import ChoicesConfig, RangeConfig

RATIO, SAMPLER = "training.oversampling.ratio", "training.weighted_sampling.strength"
STRENGTH, CAP = "training.class_weights.strength", "training.class_weights.cap"
SCHEME, LOSS = "training.class_weights.scheme", "training.loss.name"
GAMMA, TAU = "training.loss.gamma", "training.loss.tau"
RATE, RANK = "training.learning_rate", "model.lora.rank"
CLASSES = {"kind": "multiclass"}
SCORES = {"kind": "tiered_scores", "dimensions": {"x": {}}, "tiers": {"low": 0, "middle": 4, "high": 8}}


@pytest.fixture
def load(tmp_path):
    def load(task=CLASSES, space="auto", **sections):
        tree = {"name": "small", "data": {"path": "rows.jsonl"}, "task": task, "space": space, **sections}
        path = tmp_path / "experiment.yaml"
        path.write_text(yaml.safe_dump(tree, sort_keys=False))
        return load_experiment(path)

    return load


def split(*counts, scores=None, labels=None):
    classes = np.repeat(np.arange(len(counts)), counts)
    return SimpleNamespace(classes=classes, scores=scores, labels=labels)


def derived(loaded, train, classes=3):
    names = ("low", "middle", "high")[:classes]
    return derive_space(loaded.experiment, train, LabelSpace(names, names[1:]))


def test_ranges_follow_from_the_counts(load):
    # 1519 / 202 / 26: 26 / 1519 = 0.0171 are there now, and 1519 / 26 = 58.4 would be the weight.
    found = derived(load(), split(1519, 202, 26))
    assert found.entries == {
        RATIO: RangeConfig(low=0.017, high=1.0, log=True),
        SAMPLER: None,
        CAP: RangeConfig(low=2.0, high=30.0, log=True),
        STRENGTH: RangeConfig(low=0.0, high=1.0, when={LOSS: "focal"}),
        LOSS: ChoicesConfig(choices=("focal", "logit_adjusted")),
        GAMMA: RangeConfig(low=0.0, high=3.0),
        TAU: RangeConfig(low=0.25, high=1.5),
        RATE: RangeConfig(low=4e-5, high=1e-3, log=True),
        RANK: ChoicesConfig(choices=(4, 8, 16)),
    }
    assert found.reasons[RATIO].startswith("high has 26 rows, the largest class 1,519")
    assert found.reasons[SAMPLER] == "repeats oversampling"


def test_the_strength_of_a_single_rare_class_ends_at_the_cap_instead_of_searching_both(load):
    # 100 ** 0.5 = 10
    found = derived(load(), split(10_000, 100), classes=2)
    assert (found.entries[CAP], found.entries[STRENGTH].high) == (None, 0.5)
    mild = derived(load(), split(400, 100), classes=2)
    assert (mild.entries[CAP], mild.entries[STRENGTH].high) == (None, 1.0)
    assert mild.reasons[CAP] == "no weight is above 4, so 10 never cuts"


@pytest.mark.parametrize("counts", [(100, 90, 80), (100, 0, 0)], ids=["balanced", "no rare rows"])
def test_remedies_that_cannot_matter_are_left_out(load, counts):
    found = derived(load(), split(*counts))
    searched = {key for key, entry in found.entries.items() if entry is not None}
    assert searched == {GAMMA, RATE, RANK}


def test_what_the_experiment_has_decided_stays(load):
    training = {
        "weighted_sampling": {"strength": 1.0},
        "class_weights": {"scheme": "balanced"},
        "loss": {"name": "ldam"},
    }
    found = derived(load(training=training, model={"adapter": "none"}), split(900, 90, 9))
    searched = {key for key, entry in found.entries.items() if entry is not None}
    assert searched == {SAMPLER, CAP, GAMMA, "training.loss.max_margin", RATE}
    assert found.reasons[STRENGTH] == "the scheme balanced has none"


@pytest.mark.parametrize(("steps", "searched"), [(1000, True), (11, False)])
def test_label_density_needs_scores_that_its_kernel_reaches(load, steps, searched):
    # 11 scores from 0 to 10 are 10 bins of a hundred apart, and the kernel reaches over 2; 1000 are 0.1 apart.
    column = np.linspace(0, 10, steps)[np.arange(2000) % steps]
    found = derived(load(SCORES), split(1500, 400, 100, scores=column[:, None]))
    assert (found.entries[SCHEME] is not None) == searched
    assert found.entries[GAMMA].high == 2.0
    assert LOSS not in found.entries


def test_several_labels_per_row_are_weighed_against_the_rows_without(load):
    labels = np.zeros((1000, 3), dtype=bool)
    labels[:600, 0], labels[600:650, 1], labels[650:660, 2] = True, True, True
    train = SimpleNamespace(classes=np.repeat([0, 1, 2, 3], (600, 50, 10, 340)), scores=None, labels=labels)
    found = derived(load({"kind": "multilabel"}), train)
    assert found.entries[RATIO].low == 0.016  # 10 / 600
    assert "up to 99;" in found.reasons[CAP]  # 990 / 10


def test_every_part_can_be_overridden_and_the_whole_is_written_out(load):
    own = {"auto": True, RATE: {"low": 1e-4, "high": 2e-4}, GAMMA: None, "training.warmup": {"low": 0.0, "high": 0.2}}
    loaded = load(space=own)
    train = split(1519, 202, 26)
    written = with_space(loaded, derived(loaded, train))
    space = written.experiment.full_space()
    assert space.keys() == {RATIO, STRENGTH, CAP, LOSS, TAU, RATE, RANK, "training.warmup"}
    assert space[RATE] == RangeConfig(low=1e-4, high=2e-4)
    assert not written.experiment.auto_space
    # No class has fewer, so nothing is repeated, and the first trial is the experiment itself.
    assert written.experiment.own_settings([RATIO]) == {RATIO: 0.017}
    assert written.experiment.conditions() == {STRENGTH: {LOSS: ("focal",)}, TAU: {LOSS: ("logit_adjusted",)}}
    for params in ({LOSS: "logit_adjusted", TAU: 0.5}, {LOSS: "focal", STRENGTH: 0.5}):
        assert written.trial_tree(params)["training"]["loss"]["name"] == params[LOSS]
    lines = "\n".join(space_lines(written, derived(loaded, train).reasons))
    assert "0.017 to 1, log" in lines
    assert "as the experiment says" in lines


def test_a_space_of_ones_own_losses_brings_no_other(load):
    loaded = load(space={"auto": True, LOSS: None})
    space = with_space(loaded, derived(loaded, split(900, 90, 9))).experiment
    assert not {LOSS, TAU} & space.full_space().keys()
    assert space.conditions() == {}


def test_auto_must_be_true_or_false(load):
    with pytest.raises(Exception, match=r"space.auto: must be true or false, got 'maybe'"):
        load(space={"auto": "maybe"})
