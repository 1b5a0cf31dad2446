import pytest
import yaml

from rarecall.analysis.errors import InputError
from rarecall.search.experiment.schema import Experiment, load_experiment

VALID = {
    "name": "small",
    "data": {"path": "rows.jsonl"},
    "task": {
        "kind": "tiered_scores",
        "dimensions": {"maturity": {"weight": 0.7}, "proof": {"weight": 0.3}},
        "tiers": {"vaporware": 0, "pilot": 4, "deployed": 8},
    },
    "criteria": ["recall[vaporware] >= 0.85", "mae[*] <= 1.5"],
}


@pytest.fixture
def write(tmp_path):
    def write(changes=None, text=None):
        path = tmp_path / "experiment.yaml"
        path.write_text(text if text is not None else yaml.safe_dump({**VALID, **(changes or {})}, sort_keys=False))
        return path

    return write


def faults(path, overrides=None):
    with pytest.raises(InputError) as caught:
        load_experiment(path, overrides)
    return {fault.where: fault for fault in caught.value.faults}


def test_a_small_experiment_gets_the_defaults_and_the_default_space(write):
    experiment = load_experiment(write()).experiment
    assert experiment.training.epochs == 3
    assert set(experiment.full_space()) == {
        "training.oversampling.ratio",
        "training.class_weights.strength",
        "training.loss.gamma",
        "training.learning_rate",
        "model.lora.rank",
    }


def test_all_faults_come_in_one_go_each_with_its_place(write):
    found = faults(
        write(
            {
                "training": {"epochs": 0, "learning_rat": 1e-3, "loss": {"gama": 2}},
                "model": {"lora": {"rank": 0}},
                "criteria": ["recal[vaporware] >= 0.85"],
                "space": {"training.learning_rte": {"low": 1, "high": 2}, "data.path": {"choices": ["a"]}},
                "objective": "minority_recal",
            }
        )
    )
    assert set(found) == {
        "training.epochs",
        "training.learning_rat",
        "training.loss",
        "model.lora.rank",
        "criteria[0]",
        "space.training.learning_rte",
        "space.data.path",
        "objective",
    }
    assert found["training.learning_rat"].remedy == "did you mean `learning_rate`?"
    assert "greater than or equal to 1" in found["model.lora.rank"].rule
    assert found["model.lora.rank"].value == "0"
    assert "gamma" in found["training.loss"].rule
    assert "minority_recall" in found["objective"].remedy


def test_wrong_types_are_told_with_the_value(write):
    found = faults(write({"training": {"epochs": "many"}, "search": {"trials": [3]}}))
    assert found["training.epochs"].value == "'many'"
    assert found["search.trials"].value == "[3]"


def test_paths_name_no_union_members(write):
    found = faults(write({"task": VALID["task"] | {"teirs": {}}, "space": {"training.learning_rate": {"low": 1}}}))
    assert found["task.teirs"].remedy == "did you mean `tiers`?"
    assert found["space.training.learning_rate.high"].rule == "is required"


def test_a_searched_value_that_the_section_would_refuse_is_told_at_the_space(write):
    found = faults(
        write({"space": {"model.lora.rank": {"choices": [0, 8]}, "training.loss.gamma": {"low": -1.0, "high": 2.0}}})
    )
    assert set(found) == {"space.model.lora.rank", "space.training.loss.gamma"}


def test_null_removes_a_default_dimension(write):
    space = load_experiment(write({"space": {"training.loss.gamma": None}})).experiment.full_space()
    assert "training.loss.gamma" not in space


def test_overrides_reach_sections_and_the_space(write):
    loaded = load_experiment(
        write(), {"training.epochs": 7, "space.training.weight_decay": {"low": 0.0, "high": 0.1}, "search.trials": 2}
    )
    assert loaded.experiment.training.epochs == 7
    assert loaded.experiment.search.trials == 2
    assert "training.weight_decay" in loaded.experiment.full_space()


def test_an_override_is_validated_like_the_file(write):
    assert set(faults(write(), {"training.epoch": 7})) == {"training.epoch"}


def test_exponents_without_a_dot_are_numbers(write):
    text = yaml.safe_dump(VALID, sort_keys=False) + "space: {training.learning_rate: {choices: [1e-4, 2E-3]}}\n"
    entry = load_experiment(write(text=text)).experiment.full_space()["training.learning_rate"]
    assert entry.extremes() == (0.0001, 0.002)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("name: a\nname: b\n", "stands twice"),
        ("name: [\n", "is not valid YAML"),
        ("- a\n", "must hold a mapping"),
        ("", "must hold a mapping"),
    ],
)
def test_files_that_are_no_experiment(write, text, rule):
    with pytest.raises(InputError, match=rule):
        load_experiment(write(text=text))


def test_a_missing_or_undecodable_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_experiment(tmp_path / "nowhere.yaml")
    (tmp_path / "latin.yaml").write_bytes("name: caf\xe9".encode("latin-1"))
    with pytest.raises(InputError, match="cannot be read"):
        load_experiment(tmp_path / "latin.yaml")


def test_a_trial_is_the_experiment_with_its_parameters(write):
    tree = load_experiment(write()).trial_tree({"model.lora.rank": 32, "training.loss.gamma": 1.5})
    assert tree["model"]["lora"]["rank"] == 32
    assert tree["training"]["loss"]["gamma"] == 1.5
    assert tree["training"]["epochs"] == 3


def test_without_search_leaves_one_trial_and_no_space(write):
    single = load_experiment(write()).without_search().experiment
    assert (single.search.trials, single.full_space(), single.name) == (1, {}, "small-train")


def test_paths_kept_with_a_run_hold_from_anywhere(write, tmp_path):
    tree = load_experiment(write()).tree_for_run()
    assert tree["data"]["path"] == str(tmp_path / "rows.jsonl")
    assert tree["storage"]["path"] == str(tmp_path / "runs")


def test_a_base_model_in_a_folder_beside_the_experiment_is_found_from_anywhere(write, tmp_path):
    (tmp_path / "my-model").mkdir()
    loaded = load_experiment(write({"model": {"base": "my-model", "max_length": 32}}))
    assert loaded.tree_for_run()["model"] == {"base": str(tmp_path / "my-model"), "max_length": 32}
    assert load_experiment(write({"model": {"base": "minilm"}})).tree_for_run()["model"] == {"base": "minilm"}


def test_without_search_stays_without_what_the_space_had_lost(write):
    loaded = load_experiment(write({"space": {"training.loss.gamma": None, "training.warmup": {"choices": [0, 0.1]}}}))
    assert loaded.without_search().experiment.full_space() == {}


def test_an_experiment_extends_another_section_by_section(write):
    path = write({"training": {"epochs": 5, "batch_size": 8}})
    above = {"extends": path.name, "name": "larger", "training": {"epochs": 7}, "model": {"lora": {"rank": 32}}}
    larger = path.with_name("larger.yaml")
    larger.write_text(yaml.safe_dump(above))
    experiment = load_experiment(larger).experiment
    assert experiment.name == "larger"
    assert (experiment.training.epochs, experiment.training.batch_size) == (7, 8)
    assert experiment.model.lora.rank == 32
    assert list(experiment.task.tiers) == ["vaporware", "pilot", "deployed"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../small.yaml", "must name a file of the same folder"),
        ("experiment.yaml", "must not lead back to a file"),
        ("nowhere.yaml", "no such file"),
    ],
)
def test_what_cannot_be_extended_is_refused(write, name, told):
    with pytest.raises(InputError, match=told):
        load_experiment(write({"extends": name}))


def test_a_searched_loss_takes_only_the_parameters_it_reads(write):
    changes = {
        "data": {"path": "rows.jsonl", "label": "kind"},
        "task": {"kind": "multiclass"},
        "criteria": [],
        "training": {"loss": {"gamma": 2.0, "label_smoothing": 0.1}},
        "space": {"training.loss.name": {"choices": ["focal", "ldam"]}},
    }
    loaded = load_experiment(write(changes))
    tree = loaded.trial_tree({"training.loss.name": "ldam", "training.loss.gamma": 1.0})
    assert tree["training"]["loss"] == {"name": "ldam", "gamma": 1.0}
    tree = loaded.trial_tree({"training.loss.name": "focal", "training.loss.gamma": 1.0})
    assert tree["training"]["loss"] == {"name": "focal", "gamma": 1.0, "label_smoothing": 0.1}


def test_what_a_loss_or_scheme_does_not_read_exists_only_with_those_that_do(write):
    space = {
        "training.loss.name": {"choices": ["focal", "logit_adjusted", "ldam"]},
        "training.loss.tau": {"low": 0.2, "high": 1.5},
        "training.class_weights.scheme": {"choices": ["none", "power"]},
        "training.class_weights.cap": {"low": 2.0, "high": 9.0, "when": {"training.class_weights.scheme": "power"}},
    }
    changes = {"task": {"kind": "multiclass"}, "criteria": [], "space": space}
    assert load_experiment(write(changes)).experiment.conditions() == {
        "training.loss.tau": {"training.loss.name": ("logit_adjusted",)},
        "training.class_weights.strength": {"training.class_weights.scheme": ("power",)},
        "training.class_weights.cap": {"training.class_weights.scheme": ("power",)},
    }


@pytest.mark.parametrize("values", ["powr", ["power", "balanced"]])
def test_a_condition_must_be_on_choices_of_the_space(write, values):
    space = {
        "training.class_weights.scheme": {"choices": ["none", "power"]},
        "training.class_weights.cap": {"low": 2.0, "high": 9.0, "when": {"training.class_weights.scheme": values}},
        "training.warmup": {"low": 0.0, "high": 0.2, "when": {"training.epochs": 3}},
    }
    found = faults(write({"space": space}))
    scheme = found["space.training.class_weights.cap.when.training.class_weights.scheme"]
    assert "must name choices of the space" in scheme.rule
    assert scheme.remedy == "choices of training.class_weights.scheme: ['none', 'power']"
    assert "give that key `choices`" in found["space.training.warmup.when.training.epochs"].remedy


def test_weights_are_spread_over_several_workers_only():
    tree = {
        "name": "large",
        "data": {"path": "rows.jsonl", "label": "label"},
        "task": {"kind": "multiclass"},
        "training": {"sharding": "frozen"},
    }
    Experiment.model_validate({**tree, "resources": {"workers": 2}})
    with pytest.raises(ValueError, match=r"needs resources\.workers of at least 2 to spread weights over, got 1"):
        Experiment.model_validate(tree)
