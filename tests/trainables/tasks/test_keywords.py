"""Words that lift or cap scores: what finds them, what they do, and that every way to a prediction knows of them."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from rarecall.trainables.config import DataConfig, TrialConfig
from rarecall.trainables.data.encoding import encode, joined
from rarecall.trainables.data.examples import Examples, Part
from rarecall.trainables.data.reading.reader import read_rows
from rarecall.trainables.models.classifier import load_processor
from rarecall.trainables.tasks import build_task, keyword_rules, switched
from rarecall.trainables.tasks.config import TaskConfig
from rarecall.trainables.tasks.keywords import KeywordRule, bounded, marked, words_pattern

CONFIG = TypeAdapter(TaskConfig)
TASK = {
    "kind": "tiered_scores",
    "dimensions": {"maturity": {"weight": 3}, "proof": {"weight": 1}},
    "tiers": {"vaporware": 0, "pilot": 4, "deployed": 8},
    "keywords": [
        {"any": ["in production", "deployed at"], "dimension": "maturity", "at_least": 6.0},
        {"any": "plans to", "at_most": 3.9},
        {"pattern": r"proven\W+twice", "dimension": "proof", "at_least": 9.0, "at_most": 9.5},
    ],
}
TEXTS = ("Now IN\nPRODUCTION.", "It plans to be deployed at Kyoto", "Proven, twice", "preplans to reproduce")
FOUND = [[True, False, False], [True, True, False], [False, False, True], [False, False, False]]


def task_of(config):
    return build_task(CONFIG.validate_python(config), ())


def examples_of(texts, scores=None):
    rows = np.arange(len(texts))
    return Examples(rows, tuple(texts), rows * 0, np.zeros((len(texts), 2)) if scores is None else scores)


@pytest.mark.parametrize(
    ("word", "inside", "outside"),
    [
        ("concept", ["Concept.", "a CONCEPT", "(concept)", "concept-car", "このconceptは"], ["concepts", "preconcept"]),
        ("in production", ["in production", "in  production", "in\nproduction"], ["inproduction", "in productions"]),
        ("C++", ["uses C++.", "c++17"], ["C+"]),
        (".net", ["a .NET app", "asp.net"], ["a net"]),
        ("導入済み", ["本番導入済みです", "導入済み"], ["導入"]),
        ("パイロット", ["実証パイロット事業"], ["パイロ"]),
        ("배포", ["배포되었다"], ["보배"]),
        ("план", ["бизнес-план", "ПЛАН"], ["планы"]),
        ("déployé", ["est DÉPLOYÉ à"], ["déployée"]),
    ],
)
def test_words_are_found_whole_where_a_script_sets_words_apart(word, inside, outside):
    rule = KeywordRule(words_pattern([word]))
    assert rule.found(inside).all()
    assert not rule.found(outside).any()


@given(st.text(min_size=1).filter(str.strip))
def test_every_word_is_found_in_itself(word):
    rule = KeywordRule(words_pattern([word, "another"]))
    assert rule.found([word, f"({word})", f"so: {word}"]).all()


def test_bounds_are_the_tightest_of_those_found_whatever_their_order():
    rules = [
        KeywordRule("a", None, at_least=5.0),
        KeywordRule("b", None, at_least=6.0),
        KeywordRule("c", None, at_most=4.0),
        KeywordRule("d", 0, at_least=9.0),
    ]
    found = np.array([[1, 0, 0, 1], [1, 1, 0, 0], [1, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=bool)
    values = np.array([1.0, 1.0, 9.0, 9.0, 3.0])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        kept = bounded(values, found[:, order], [rules[i] for i in order])
        assert kept.tolist() == [5.0, 6.0, 4.0, 4.0, 3.0]
    assert bounded(values, found, rules, 0).tolist() == [9.0, 1.0, 9.0, 9.0, 9.0]


def test_a_task_keeps_scores_then_the_overall_score_within_the_bounds():
    task = task_of(TASK)
    examples = marked(examples_of(TEXTS), keyword_rules(task))
    assert examples.keywords.tolist() == FOUND
    outputs = np.array([[0.3, 0.3], [0.9, 0.9], [0.9, 0.1], [0.9, 0.1]])
    found = task.predictions(outputs, examples)
    # maturity 3 → 6; capped as a whole, its dimensions are not; proof 1 → 9; nothing.
    np.testing.assert_allclose(found.predicted_scores, [[6, 3], [9, 9], [9, 9], [9, 1]])
    # (3 · 6 + 3) / 4 = 5.25; 9 → 3.9; 9; (27 + 1) / 4 = 7
    np.testing.assert_allclose(found.predicted_overall, [5.25, 3.9, 9.0, 7.0])
    assert found.predicted_class.tolist() == [1, 0, 2, 1]
    assert found.true_overall.tolist() == [0, 0, 0, 0]


def test_without_the_rules_the_model_alone_decides():
    task = switched(task_of(TASK), keywords=False)
    examples = marked(examples_of(TEXTS), keyword_rules(task_of(TASK)))
    found = task.predictions(np.array([[0.3, 0.3]] * 4), examples)
    assert found.predicted_class.tolist() == [0, 0, 0, 0]
    assert task == task_of({**TASK, "keywords": []})
    assert switched(task_of(TASK), keywords=True) == task_of(TASK)
    multiclass = task_of({"kind": "multiclass", "classes": ["a", "b"]})
    assert switched(multiclass, keywords=False) is multiclass


def test_rows_that_nobody_looked_through_are_refused():
    with pytest.raises(ValueError, match="needs what they find in each text"):
        task_of(TASK).predictions(np.zeros((4, 2)), examples_of(TEXTS))


def test_the_gatekeeper_still_closes_what_a_word_lifts():
    gate = {"dimension": "proof", "cut": 5.0, "max_tier": "vaporware"}
    task = task_of({**TASK, "gatekeeper": gate, "keywords": [{"any": ["now"], "at_least": 9.0}]})
    found = task.predictions(np.array([[0.3, 0.3]] * 4), marked(examples_of(TEXTS), keyword_rules(task)))
    assert found.predicted_overall.tolist() == [9.0, 3.0, 3.0, 3.0]
    assert found.predicted_class.tolist() == [0, 0, 0, 0]


def test_the_decision_rule_holds_the_rules_as_data():
    told = json.loads(json.dumps(task_of(TASK).decision_rule()))["keywords"]
    assert [(rule["dimension"], rule["at_least"], rule["at_most"]) for rule in told] == [
        ("maturity", 6.0, None),
        (None, None, 3.9),
        ("proof", 9.0, 9.5),
    ]
    found = [[bool(re.search(rule["pattern"], text, re.IGNORECASE)) for rule in told] for text in TEXTS]
    assert found == FOUND


def test_what_is_found_goes_with_its_row(tmp_path, still_minilm):
    rows = [{"title": text.partition("\n")[0], "text": text.partition("\n")[2] or "x"} for text in TEXTS]
    rows = [{**row, "maturity": 2 * i, "proof": 2 * i} for i, row in enumerate(rows)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = DataConfig(path=str(path), text=("title", "text"))
    # A phrase may go on from one text column to the next.
    examples = read_rows({"path": path}, data, CONFIG.validate_python(TASK)).examples
    assert examples.keywords.tolist() == FOUND
    order = np.array([2, 0])
    split = encode(load_processor(still_minilm), examples, 16)
    assert joined(split, split.take(order)).keywords.tolist() == [*FOUND, FOUND[2], FOUND[0]]
    for part in (examples.take(order), Part(examples, order), split.take(order)):
        assert part.keywords.tolist() == [FOUND[2], FOUND[0]]
    plain = read_rows({"path": path}, data, CONFIG.validate_python({**TASK, "keywords": []})).examples
    assert plain.keywords is None
    assert Part(plain, order).keywords is None


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"any": ["a"], "pattern": "a", "at_least": 1}, "give either `any`, a list of words, or `pattern`"),
        ({"at_least": 1}, "give either `any`"),
        ({"any": ["a"]}, "give `at_least`, `at_most`, or both"),
        ({"any": ["a"], "at_least": 5, "at_most": 4}, "at_least must not be above at_most, got 5 and 4"),
        ({"any": ["a"], "at_least": 11}, "keywords[0] must have bounds from 0 to 10, got [11.0]"),
        ({"any": ["a"], "at_least": 1, "dimension": "mturity"}, "keywords[0].dimension must be one of ['maturity'"),
        ({"pattern": "x{e<=1}", "at_least": 1}, "must write '{' as a character with a backslash before it"),
        ({"pattern": "[[:alpha:]]+", "at_least": 1}, "must write '[' as a character with a backslash before it"),
        ({"pattern": "(a", "at_least": 1}, "must be a regular expression of Python's, got '(a': missing )"),
        ({"any": [" "], "at_least": 1}, "should match pattern"),
        ({"any": [], "at_least": 1}, "at least 1 item"),
        ({"any": ["a"], "at_least": 1, "words": 1}, "Extra inputs"),
    ],
)
def test_rules_that_make_no_sense_are_refused(rule, told):
    with pytest.raises(ValidationError, match=re.escape(told)):
        CONFIG.validate_python({**TASK, "keywords": [rule]})


def test_images_have_no_words():
    with pytest.raises(ValidationError, match=r"task\.keywords: need texts to be found in"):
        TrialConfig.model_validate({"data": {"path": "a.npz", "image": "image"}, "task": TASK})
