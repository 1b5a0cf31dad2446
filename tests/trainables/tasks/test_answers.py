"""Answers as JSON: read strictly, and read back as they were written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rarecall.trainables.tasks.answers import completion, parse_answer

NAMES = ("maturity", "proof")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "7.2",
        "null",
        "[]",
        "{}",
        '[["maturity", 1], ["proof", 2]]',
        '[{"maturity": 1, "proof": 2}]',
        '{"maturity": 1}',
        '{"maturity": 1, "proof": 2, "reach": 3}',
        '{"maturity": 1, "proof": 2, "proof": 2}',
        '{"maturity": 1, "maturity": 2}',
        '{"Maturity": 1, "proof": 2}',
        '{"maturity": "1", "proof": 2}',
        '{"maturity": true, "proof": 2}',
        '{"maturity": null, "proof": 2}',
        '{"maturity": [1], "proof": 2}',
        '{"maturity": {"proof": 1}, "proof": 2}',
        '{"maturity": {}, "proof": 2}',
        '{"maturity": NaN, "proof": 2}',
        '{"maturity": Infinity, "proof": 2}',
        '{"maturity": -Infinity, "proof": 2}',
        '{"maturity": 1e999, "proof": 2}',
        '{"maturity": 10.1, "proof": 2}',
        '{"maturity": -0.1, "proof": 2}',
        '{"maturity": 1, "proof": 2',
        '{"maturity": 1, "proof": 2}}',
        '{"maturity": 1, "proof": 2}{"maturity": 1, "proof": 2}',
        '{"maturity": 1, "proof": 2}<|padding|>',
        'The scores: {"maturity": 1, "proof": 2}',
        '```json\n{"maturity": 1, "proof": 2}\n```',
        '{"maturity": 1, "proof": 2,}',
        "{'maturity': 1, 'proof': 2}",
        '{"maturity": 01, "proof": 2}',
        '{"maturity": 1, "proof": ' + "9" * 5000 + "}",
        "[" * 100_000,
    ],
)
def test_what_was_not_asked_for_cannot_be_read(text):
    assert parse_answer(text, NAMES, (0, 10)) is None


def test_order_and_blanks_do_not_matter():
    assert parse_answer(' {"proof": 10,\n "maturity": 0.0}\n', NAMES, (0, 10)) == (0.0, 10.0)


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=8),
    st.integers(0, 4),
    st.lists(st.text(min_size=1), min_size=8, max_size=8, unique=True),
)
def test_scores_come_back_from_their_completion_as_they_were_rounded(scores, decimals, names):
    names = tuple(names[: len(scores)])
    text = completion(scores, names, decimals)
    assert parse_answer(text, names, (-5, 5)) == tuple(round(score, decimals) for score in scores)
