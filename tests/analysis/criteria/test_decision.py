"""The one sentence that decides, from verdicts on test rows."""

import numpy as np
import pytest
from scipy.stats import beta

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.criteria.decision import Decision, decide, more_rows
from rarecall.analysis.criteria.verdicts import assess
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.decidability import MOST_ROWS, rows_that_decide

LABELS = LabelSpace(("vaporware", "deployed", "pilot"), ("deployed", "pilot"))


def rows_of(*counts: tuple[int, int]) -> Predictions:
    """Right and all rows by class; what is wrong is predicted as the class before."""
    true = np.repeat(np.arange(len(counts)), [rows for _, rows in counts])
    right = np.concatenate([np.arange(rows) < hits for hits, rows in counts])
    return Predictions(np.arange(len(true)), true, np.where(right, true, (true - 1) % len(counts)))


def decided(*lines: str, deployed: tuple[int, int] = (2, 3), pilot: tuple[int, int] = (9, 22)) -> Decision | None:
    predictions = rows_of((150, 200), deployed, pilot)
    return decide(assess(predictions, LABELS, [parse(line, LABELS.minority) for line in lines]))


@pytest.mark.parametrize(
    ("lines", "outcome", "sentence"),
    [
        # Beta(9.5, 13.5) is at least 0.6 with a probability of 0.03.
        (
            ["recall[pilot] >= 0.6"],
            "do not ship",
            "Do not ship: pilot 41 % on the test split (9 of 22), wanted 60 %",
        ),
        # 40 rows are what decidability says of 40 %: 37 more.
        (
            ["recall[deployed] >= 0.4"],
            "label more rows",
            "Label about 40 more deployed rows: 3 cannot decide 40 %",
        ),
        (["recall[vaporware] >= 0.6"], "ship", "Ship: the test split meets its criterion"),
        (["recall[vaporware] >= 0.6", "recall[pilot] >= 0.2"], "ship", "Ship: the test split meets all 2 criteria"),
        # Undecided criteria do not save a missed one; of two missed the farthest is named.
        (
            ["recall[deployed] >= 0.4", "recall[pilot] >= 0.6", "recall[vaporware] >= 0.99"],
            "do not ship",
            "Do not ship: vaporware 75 % on the test split (150 of 200), wanted 99 %; 1 more criterion is missed",
        ),
        (
            ["precision[deployed] >= 0.9"],  # 2 of 15: pilot rows that are wrong are called deployed
            "do not ship",
            "Do not ship: precision of deployed 13 % on the test split (2 of 15), wanted 90 %",
        ),
        (
            ["macro_f1 <= 0.1"],  # 300 of 351, 4 of 18 and 18 of 81 are 0.855, 0.222 and 0.222
            "do not ship",
            "Do not ship: macro_f1 43 % on the test split (225 rows), wanted at most 10 %",
        ),
    ],
)
def test_the_sentence(lines: list[str], outcome: str, sentence: str) -> None:
    decision = decided(*lines)
    assert decision == Decision(outcome, sentence)
    assert str(decision) == sentence


def test_a_class_without_test_rows_needs_as_many_as_can_decide() -> None:
    decision = decided("recall[deployed] >= 0.4", deployed=(0, 0))
    assert decision
    assert decision.sentence == "Label about 40 more deployed rows: the test split has none"


def test_without_criteria_nothing_is_decided() -> None:
    assert decided() is None


def test_what_is_near_its_threshold_needs_as_many_rows_as_its_own_value_does() -> None:
    assessment = assess(rows_of((150, 200), (2, 3), (66, 100)), LABELS, [parse("recall[pilot] >= 0.6")])
    (finding,) = assessment.findings
    assert finding.status == "undecided"
    needed = 100 + more_rows(finding, 0.9)
    assert beta(0.66 * needed + 0.5, 0.34 * needed + 0.5).sf(0.6) >= 0.9
    assert beta(0.66 * (needed - 1) + 0.5, 0.34 * (needed - 1) + 0.5).sf(0.6) < 0.9


def test_a_mean_needs_rows_by_the_width_of_its_interval() -> None:
    assessment = assess(rows_of((150, 200), (2, 3), (9, 22)), LABELS, [parse("macro_f1 >= 0.45")])
    (finding,) = assessment.findings
    assert finding.status == "undecided"
    # One side of 90 % is 1.2816 standard errors, half an interval of 90 % 1.6449; both shrink with the root of rows.
    error = (finding.interval.high - finding.interval.low) / 2 / 1.6449
    wanted = 225 * (1.2816 * error / abs(finding.verdict.value - 0.45)) ** 2
    assert 225 + more_rows(finding, 0.9) == pytest.approx(wanted, rel=0.01)
    assert decide(assessment).sentence.startswith("Label about ")  # type: ignore[union-attr]


def test_rows_that_say_whether_a_share_is_missed() -> None:
    needed = rows_that_decide(0.3, 0.4)
    assert beta(0.3 * needed + 0.5, 0.7 * needed + 0.5).sf(0.4) <= 0.1
    assert beta(0.3 * (needed - 1) + 0.5, 0.7 * (needed - 1) + 0.5).sf(0.4) > 0.1
    assert rows_that_decide(0.4, 0.4) == MOST_ROWS
    with pytest.raises(ValueError, match="lie within 0 and 1"):
        rows_that_decide(1.2, 0.4)
