"""Verdicts as a table for the terminal: value, rows behind it, interval, probability and what follows from them."""

import textwrap
from collections.abc import Sequence

from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.criteria.verdicts import Assessment, Finding
from rarecall.analysis.text.table import Column, cell_len, cut, fitting, render_columns, total_width
from rarecall.analysis.text.wording import interval_text, probability_text, value_text

INDENT = "  "
# A criterion is cut to no less than this.
_SHORTEST = 12


def verdict_lines(assessment: Assessment, width: int) -> list[str]:
    """The findings within `width` columns, then the probability of all criteria together."""
    if not assessment.findings:
        return []
    columns = _columns(assessment, width - len(INDENT))
    joint = f"Probability that the true values meet all criteria: {probability_text(assessment.joint)}"
    lines = [f"{INDENT}{line}" for line in [*render_columns(columns), joint]]
    return lines + wrapped(correction_text(assessment), width) if assessment.correction else lines


def correction_text(assessment: Assessment) -> str:
    """What the verdicts of a trial that was chosen are about."""
    return f"Verdict, interval and P(met) are about the expected figure, that of fresh rows: {assessment.correction}."


def wrapped(text: str, width: int) -> list[str]:
    """A sentence below the table."""
    return textwrap.wrap(text, width, initial_indent=INDENT, subsequent_indent=INDENT, break_on_hyphens=False)


def _columns(assessment: Assessment, width: int) -> list[Column]:
    findings = assessment.findings
    figures = [
        Column(("measured",), tuple(value_text(one.verdict.key, one.verdict.value) for one in findings)),
        *_expected(assessment),
        Column(("rows",), tuple(str(one.rows) if one.verdict.key else "none" for one in findings)),
        Column(
            (f"{100 * assessment.level:g} %",), tuple(interval_text(one.verdict.key, one.interval) for one in findings)
        ),
        Column(("P(met)",), tuple(probability_text(one.probability) for one in findings)),
    ]
    status = Column(("verdict",), tuple(one.status for one in findings), "<")
    left = width - total_width([status, *figures]) - 2
    longest = max(cell_len(one.criterion.text) for one in findings)
    texts = tuple(cut(one.criterion.text, max(_SHORTEST, min(longest, left))) for one in findings)
    columns = [status, Column(("criterion",), texts, "<"), *figures]
    return fitting(columns, _deciding(findings), width)


def _expected(assessment: Assessment) -> list[Column]:
    if not assessment.correction:
        return []
    findings = assessment.findings
    return [Column(("expected",), tuple(value_text(one.verdict.key, one.expected) for one in findings))]


def _deciding(findings: Sequence[Finding]) -> list[Column]:
    """Which class or dimension decided, where a criterion is about several."""
    names = tuple("" if one.criterion.names_one else split_key(one.verdict.key)[1] or "" for one in findings)
    return [Column(("decided by",), names, "<")] if any(names) else []
