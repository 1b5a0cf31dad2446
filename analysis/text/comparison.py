"""A comparison as text: what differs by how much, which rows changed sides, which parameters."""

import textwrap
from collections.abc import Sequence

from rarecall.analysis.evaluation.comparison import Comparison, Difference
from rarecall.analysis.text.table import Column, cut, render_columns
from rarecall.analysis.text.winner import plain
from rarecall.analysis.text.wording import interval_text, is_share, probability_text, value_text

# Row numbers that are named for a class before the rest is counted.
_NAMED = 12


def render(comparison: Comparison, width: int) -> str:
    """The text within `width` columns."""
    parts = [
        textwrap.wrap(f"A {comparison.first}", width, subsequent_indent="  ")
        + textwrap.wrap(f"B {comparison.second}", width, subsequent_indent="  ")
        + [f"{comparison.rows:,} rows, the same in both"],
        _table(comparison, width),
        _mcnemar(comparison, width),
        _flips(comparison, width),
        _changed(comparison),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _table(comparison: Comparison, width: int) -> list[str]:
    differences = comparison.differences
    columns = [
        Column(("metric",), tuple(cut(one.key, max(12, width - 56)) for one in differences), "<"),
        Column(("A",), tuple(value_text(one.key, one.first) for one in differences)),
        Column(("B",), tuple(value_text(one.key, one.second) for one in differences)),
        Column(("B − A",), tuple(_signed(one, one.second - one.first) for one in differences)),
        Column((f"{100 * comparison.level:g} %",), tuple(_span(one) for one in differences)),
        Column(("P(B better)",), tuple(probability_text(one.better) for one in differences)),
    ]
    return render_columns(columns)


def _signed(difference: Difference, value: float) -> str:
    return f"{100 * value:+.1f}" if is_share(difference.key) else f"{value:+.2f}"


def _span(difference: Difference) -> str:
    low, high = difference.interval.low, difference.interval.high
    return (
        f"{_signed(difference, low)} to {_signed(difference, high)}"
        if low == low
        else interval_text("", difference.interval)
    )


def _mcnemar(comparison: Comparison, width: int) -> list[str]:
    test = comparison.mcnemar
    text = (
        f"Right in A only: {test.only_first:,} rows, in B only: {test.only_second:,}. McNemar's exact test: "
        f"p = {test.p_value:.3g}."
    )
    return textwrap.wrap(text, width)


def _flips(comparison: Comparison, width: int) -> list[str]:
    lines = []
    for flip in comparison.flips:
        for what, rows in (("gained by B", flip.gained), ("lost by B", flip.lost)):
            if rows:
                text = f"{flip.name}, {what}: rows {_listed(rows)}"
                lines += textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ")
    return ["Rows of minority classes that changed sides", *lines] if lines else []


def _listed(rows: Sequence[int]) -> str:
    more = f" and {len(rows) - _NAMED} more" if len(rows) > _NAMED else ""
    return ", ".join(map(str, rows[:_NAMED])) + more


def _changed(comparison: Comparison) -> list[str]:
    if not comparison.changed:
        return []
    columns = [
        Column(("parameter",), tuple(comparison.changed), "<"),
        Column(("A",), tuple(plain(first) for first, _ in comparison.changed.values())),
        Column(("B",), tuple(plain(second) for _, second in comparison.changed.values())),
    ]
    return render_columns(columns)
