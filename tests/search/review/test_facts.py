"""What an export says of itself, also where somebody else wrote it."""

import json

import pytest

from rarecall.search.review.facts import known_decision, known_facts, measured_facts


@pytest.mark.parametrize(
    "content", ["", "[", "[]", "3", '{"validation": 3, "decision": 1}', '{"validation": {"\\ud800": 1}}', "[" * 5000]
)
def test_what_cannot_be_read_says_nothing(tmp_path, content):
    (tmp_path / "metrics.json").write_text(content)
    assert len(known_facts(tmp_path)) == 0
    assert known_decision(tmp_path) is None


def test_what_an_export_measured(tmp_path):
    told = {
        "validation": {"accuracy": 0.5},
        "test": {"accuracy": 0.4},
        "decision": {"outcome": "ship", "sentence": "All are met"},
    }
    (tmp_path / "metrics.json").write_text(json.dumps(told))
    assert measured_facts(tmp_path) == told
    assert known_facts(tmp_path).to_dict("records") == [{"metric": "accuracy", "validation": 0.5, "test": 0.4}]
    assert str(known_decision(tmp_path)) == "All are met"
