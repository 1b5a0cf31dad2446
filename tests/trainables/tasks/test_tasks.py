import json
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import TypeAdapter, ValidationError
from scipy.special import softmax

from rarecall.analysis.predictions.label_space import CatastrophicRule
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.tasks import Multiclass, TaskSection, build_task, default_minority, register
from rarecall.trainables.tasks.config import TaskConfig

CONFIG = TypeAdapter(TaskConfig)
ARTICLES = {
    "kind": "tiered_scores",
    "dimensions": {"maturity": {"weight": 0.6}, "impact": {"weight": 0.3}, "reach": {"weight": 0.1}},
    "range": [0, 10],
    "tiers": {"vaporware": 0, "pilot": 4, "early": 6, "deployed": 8},
    "gatekeeper": {"dimension": "impact", "cut": 3.0, "max_tier": "pilot"},
    "catastrophic": {"true_below": 4.0, "predicted_above": 8.0},
}
# Dimension weights of a published eight-score filter; they add up to 1.
EIGHT_WEIGHTS = (0.38, 0.19, 0.14, 0.10, 0.08, 0.05, 0.03, 0.03)


def task_of(config, classes=()):
    return build_task(CONFIG.validate_python(config), classes)


def truth_of(classes, scores=None, labels=None, rows=None):
    rows = range(len(classes)) if rows is None else rows
    return Examples(frozen(rows, np.int64), ("",) * len(classes), frozen(classes, np.int64), scores, labels=labels)


def frozen(values, dtype=np.float64):
    array = np.array(values, dtype=dtype)
    array.flags.writeable = False
    return array


def test_multiclass_takes_the_classes_of_the_data_where_the_section_names_none():
    assert task_of({"kind": "multiclass"}, ("a", "b")).label_space.classes == ("a", "b")
    named = task_of({"kind": "multiclass", "classes": ["b", "a"], "minority": ["a"]}, ("a", "b"))
    assert named.label_space.classes == ("b", "a")
    assert named.label_space.minority == ("a",)
    assert (named.output_names, named.target) == (("b", "a"), "classes")


def test_multiclass_predicts_softmax_and_argmax_from_read_only_outputs():
    task = task_of({"kind": "multiclass"}, ("a", "b", "c"))
    logits = frozen([[2.0, 1.0, 0.0], [1000.0, 1001.0, -1000.0]])
    found = task.predictions(logits, truth_of([0, 2], rows=[7, 9]))
    np.testing.assert_allclose(found.probabilities, softmax(logits, axis=1), rtol=1e-12)
    assert found.predicted_class.tolist() == [0, 1]
    assert found.predicted_class.dtype == np.int64
    assert found.true_class.tolist() == [0, 2]
    assert found.rows.tolist() == [7, 9]
    assert found.predicted_scores is None


def test_tiers_are_cut_from_the_weighted_mean_under_the_gatekeeper():
    task = task_of(ARTICLES)
    scores = np.array(
        [
            [1.0, 5.0, 9.0],  # .6 + 1.5 + .9 = 3.0 → vaporware
            [4.0, 4.0, 4.0],  # exactly on the cut 4 → pilot
            [7.0, 6.0, 5.0],  # 4.2 + 1.8 + .5 = 6.5 → early
            [9.0, 9.0, 9.0],  # 9.0 → deployed
            [10.0, 2.9, 10.0],  # 6.0 + .87 + 1.0 = 7.87 would be early, but impact 2.9 < 3 → pilot
            [1.0, 0.0, 1.0],  # .7, closed gate: stays vaporware
        ]
    )
    np.testing.assert_allclose(task.overall(scores), [3.0, 4.0, 6.5, 9.0, 7.87, 0.7], rtol=1e-12)
    assert task.tiers(scores).tolist() == [0, 1, 2, 3, 1, 0]


@pytest.mark.parametrize("level", [0.1, 0.7, 4.0, 6.0, 8.0, 9.9])
def test_equal_scores_on_a_cut_reach_it_whatever_the_weights(level):
    config = {
        "kind": "tiered_scores",
        "dimensions": {f"d{i}": {"weight": weight} for i, weight in enumerate(EIGHT_WEIGHTS)},
        "tiers": {"below": 0, "above": level},
    }
    assert task_of(config).tiers(np.full((1, 8), level)).tolist() == [1]


def test_scores_become_targets_from_0_to_1_and_back():
    task = task_of({**ARTICLES, "range": [-1, 9], "tiers": {"low": -1, "high": 5}, "gatekeeper": None})
    scores = frozen([[-1.0, 4.0, 9.0]])
    targets = task.targets(truth_of([0], scores=scores))
    assert targets.dtype == np.float32
    np.testing.assert_array_equal(targets, np.array([[0.0, 0.5, 1.0]], np.float32))
    outputs = frozen([[0.5, -0.2, 1.7]], np.float32)
    found = task.predictions(outputs, truth_of([0], scores=scores))
    # −1 + .5 · 10 = 4; −1 − 2 is cut to −1; −1 + 17 is cut to 9
    np.testing.assert_allclose(found.predicted_scores, [[4.0, -1.0, 9.0]], atol=1e-6)
    # true .6 · −1 + .3 · 4 + .1 · 9 = 1.5; predicted .6 · 4 − .3 + .9 = 3.0
    np.testing.assert_allclose(found.true_overall, [1.5])
    np.testing.assert_allclose(found.predicted_overall, [3.0])
    assert found.probabilities is None


def test_score_task_tells_its_label_space():
    task = task_of(ARTICLES)
    assert (task.output_names, task.target) == (("maturity", "impact", "reach"), "scores")
    assert task.label_space.classes == ("vaporware", "pilot", "early", "deployed")
    assert task.label_space.dimensions == ("maturity", "impact", "reach")
    assert task.label_space.catastrophic == CatastrophicRule(4.0, 8.0)
    assert task.label_space.minority == ()
    assert task.with_minority(("deployed",)).label_space.minority == ("deployed",)


def test_score_task_needs_scores():
    with pytest.raises(ValueError, match="needs the true scores"):
        task_of(ARTICLES).targets(truth_of([0]))


@pytest.mark.parametrize("config", [ARTICLES, {"kind": "multiclass", "classes": ["a", "b", "c"]}])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_outputs_that_are_not_finite_are_refused(config, bad):
    outputs = np.array([[0.1, 0.2, 0.3], [0.1, bad, 0.3]])
    with pytest.raises(FloatingPointError, match="in 1 of 2 rows"):
        task_of(config).predictions(outputs, truth_of([0, 0], scores=np.zeros((2, 3))))


@pytest.mark.parametrize("config", [ARTICLES, {"kind": "multiclass", "classes": ["a", "b"]}])
def test_tasks_survive_pickling_and_their_rule_is_json(config):
    task = task_of(config).with_minority(("b",))
    assert pickle.loads(pickle.dumps(task)) == task
    assert json.loads(json.dumps(task.decision_rule())) == task.decision_rule()


def test_tasks_need_no_torch():
    code = "import sys, rarecall.trainables.tasks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@given(arrays(np.float64, st.tuples(st.integers(1, 20), st.just(3)), elements=st.floats(-0.5, 1.5)))
def test_the_decision_rule_alone_gives_the_same_tiers(outputs):
    task = task_of(ARTICLES)
    found = task.predictions(outputs, truth_of([0] * len(outputs), scores=np.zeros_like(outputs)))
    assert found.predicted_class.tolist() == [tier_by_rule(row, task.decision_rule()) for row in outputs.tolist()]


def tier_by_rule(outputs, rule):
    low, high = rule["range"]
    scores = [min(max(low + output * (high - low), low), high) for output in outputs]
    weighted = sum(weight * score for weight, score in zip(rule["weights"], scores, strict=True))
    overall = round(weighted / sum(rule["weights"]), rule["overall_decimals"])
    tier = max(i for i, cut in enumerate(rule["cuts"]) if overall >= cut)
    gate = rule["gatekeeper"]
    if scores[rule["dimensions"].index(gate["dimension"])] < gate["cut"]:
        tier = min(tier, rule["classes"].index(gate["max_tier"]))
    return tier


def test_every_class_but_the_largest_is_minority_by_default():
    assert default_minority(("a", "b", "c"), np.array([5, 9, 0])) == ("a", "c")
    assert default_minority(("a", "b"), np.array([4, 4])) == ("b",)


def test_a_kind_is_registered_once():
    with pytest.raises(ValueError, match="'multiclass' is registered already"):
        register("multiclass")(lambda config, classes: task_of({"kind": "multiclass"}, classes))


GRADES = {"kind": "ordinal", "classes": ["healthy", "mild", "severe"]}


def test_corn_multiplies_its_conditional_probabilities():
    # logit 0 is 1/2, log 3 is 3/4: P(y>0) = 1/2, P(y>1) = 1/2 · 3/4 = 3/8; so 1/2, 1/8, 3/8. None is above 1/2.
    found = task_of(GRADES).predictions(frozen([[0.0, np.log(3)], [np.log(3), np.log(3)]]), truth_of([0, 2]))
    # second row: P(y>0) = 3/4, P(y>1) = 9/16 → 1/4, 3/16, 9/16, and both are above one half.
    np.testing.assert_allclose(found.probabilities, [[1 / 2, 1 / 8, 3 / 8], [1 / 4, 3 / 16, 9 / 16]], rtol=1e-12)
    assert found.predicted_class.tolist() == [0, 2]


def test_a_cumulative_link_keeps_its_thresholds_in_order():
    # softplus(0) = log 2: logit P(y>1) = log 3 - log 2 = log 1.5, which is 3/5; P(y>0) = 3/4.
    task = task_of({**GRADES, "link": "cumulative"})
    found = task.predictions(frozen([[np.log(3), 0.0]]), truth_of([1]))
    np.testing.assert_allclose(found.probabilities, [[0.25, 0.15, 0.6]], rtol=1e-12)
    assert found.predicted_class.tolist() == [2]


@given(arrays(np.float64, st.tuples(st.integers(1, 20), st.just(2)), elements=st.floats(-40, 40)))
@pytest.mark.parametrize("link", ["corn", "cumulative"])
def test_grades_have_probabilities_that_add_up_to_1(link, outputs):
    found = task_of({**GRADES, "link": link}).predictions(outputs, truth_of([0] * len(outputs)))
    assert (found.probabilities >= 0).all()
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0, atol=1e-12)


@pytest.mark.parametrize("link", ["corn", "cumulative", "softmax"])
def test_the_prior_of_an_ordinal_task_gives_each_grade_its_share(link):
    task = task_of({**GRADES, "link": link})
    truth = truth_of([0, 0, 0, 1, 2])
    # The last row counts three times: shares 3/7, 1/7, 3/7.
    prior = task.prior(truth, np.array([1.0, 1, 1, 1, 3]), np.ones(3))
    assert len(prior) == len(task.output_names)
    np.testing.assert_allclose(task.probabilities(prior[None]), [[3 / 7, 1 / 7, 3 / 7]], rtol=1e-9)


LABELS = {
    "kind": "multilabel",
    "labels": ["insult", "offence", "threat"],
    "implies": {"insult": "offence"},
    "excludes": [["insult", "threat"]],
    "groups": {"primary": ["offence", "threat"]},
}


def test_multilabel_decides_each_label_by_itself():
    task = task_of(LABELS)
    labels = np.array([[True, True, False], [False, False, True]])
    found = task.predictions(frozen([[0.1, -3.0, 0.0], [-1.0, 2.0, 5.0]]), truth_of([0, 2], labels=labels))
    assert found.predicted_labels.tolist() == [[True, False, False], [False, True, True]]
    np.testing.assert_allclose(found.probabilities[0, 0], 1 / (1 + np.exp(-0.1)), rtol=1e-12)
    assert found.true_labels is labels
    assert found.true_class is None
    assert task.targets(truth_of([0, 2], labels=labels)).tolist() == [[1, 1, 0], [0, 0, 1]]


def test_multilabel_starts_at_the_weighted_share_of_each_label():
    labels = np.array([[True, False, False], [False, False, False], [False, True, False], [False, True, False]])
    prior = task_of(LABELS).prior(truth_of([0, 3, 1, 1], labels=labels), np.ones(4), np.array([3.0, 1.0, 1.0]))
    # insult: 1 · 3 against 3 without; offence: 2 against 2; threat: none, held off minus infinity.
    np.testing.assert_allclose(prior[:2], [0.0, 0.0], atol=1e-12)
    assert -20 < prior[2] < -10


def test_what_a_given_label_implies_is_given_with_it_where_that_is_asked_for():
    chain = {**LABELS, "implies": {"insult": "offence", "offence": "threat"}, "excludes": [], "groups": {}}
    outputs = frozen([[3.0, -3.0, -3.0], [-3.0, 3.0, -3.0], [-3.0, -3.0, 3.0]])
    truth = truth_of([0, 0, 0], labels=np.zeros((3, 3), dtype=bool))
    plain = task_of(chain).predictions(outputs, truth).predicted_labels
    assert plain.tolist() == np.eye(3, dtype=bool).tolist()
    closed = task_of({**chain, "enforce_implications": True}).predictions(outputs, truth).predicted_labels
    assert closed.tolist() == [[True, True, True], [False, True, True], [False, False, True]]


def test_multilabel_tells_its_constraints():
    space = task_of(LABELS).label_space
    assert space.implications == (("insult", "offence"),)
    assert space.exclusions == (("insult", "threat"),)
    assert space.groups == (("primary", ("offence", "threat")),)
    assert space.multilabel


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"implies": {"insult": "ofence"}}, "got ['ofence'] besides"),
        ({"implies": {"insult": ["insult"]}}, "no label may imply or exclude itself"),
        ({"labels": ["a", "a"]}, "labels must not repeat"),
    ],
)
def test_constraints_that_make_no_sense_are_refused(change, told):
    with pytest.raises(ValidationError, match=re.escape(told)):
        CONFIG.validate_python({**LABELS, **change})


LOSSES_OF = [
    ({"kind": "multiclass"}, "classes"),
    ({"kind": "multilabel"}, "labels"),
    ({"kind": "ordinal", "classes": ["a", "b", "c"]}, "corn"),
    ({"kind": "ordinal", "classes": ["a", "b", "c"], "link": "cumulative"}, "cumulative"),
    ({"kind": "ordinal", "classes": ["a", "b", "c"], "link": "softmax"}, "classes"),
]


@pytest.mark.parametrize(("section", "target"), LOSSES_OF)
def test_the_experiment_and_the_loop_agree_on_which_losses_fit(section, target):
    config = CONFIG.validate_python(section)
    assert (config.target, build_task(config, ("a", "b")).target) == (target, target)


@pytest.mark.parametrize(
    ("section", "where", "message"),
    [
        ({"kind": "ordnal"}, ("kind",), "must be one of ['multiclass', 'multilabel', 'ordinal', 'tiered_scores'], got"),
        ({"kind": "ordnal"}, ("kind",), "did you mean 'ordinal'?"),
        ({"classes": ["a", "b"]}, ("kind",), "is required: one of ['multiclass', "),
        ({"kind": "ordinal"}, ("ordinal", "classes"), "Field required"),
        (["ordinal"], (), "must be a section with keys of its own, got ['ordinal']"),
    ],
)
def test_a_section_that_is_none_is_told_at_its_key(section, where, message):
    with pytest.raises(ValidationError) as told:
        CONFIG.validate_python(section)
    assert [error["loc"] for error in told.value.errors()] == [where]
    assert message in str(told.value)


def test_a_kind_is_registered_by_a_section_with_kind_and_minority():
    class Bare(TaskSection):
        kind: str = "bare"

    for section, message in ((Multiclass, "must be registered by its section"), (Bare, r"the fields \['minority'\]")):
        with pytest.raises(TypeError, match=message):
            register("bare")(section)
