"""A label profile as calm text."""

import math
import textwrap
from collections.abc import Iterator, Sequence

from rarecall.analysis.profile.label_profile import QUANTILES, ClassProfile, Profile
from rarecall.analysis.text.table import Column, cut, fitting, render_columns, total_width

SHOWN_VALUES = 12
LONGEST_NAME = 24


def render(profile: Profile, width: int) -> str:
    """The text within `width` columns; mitigations that do not fit are left to --json."""
    parts = [
        _title(profile, width),
        _classes(profile, width),
        _lengths(profile),
        _scores(profile),
        list(_duplicates(profile, width)),
        list(_labels_per_row(profile, width)),
        *(_slice(profile, column) for column in profile.slices),
        [line for note in profile.notes for line in textwrap.wrap(f"note: {note}", width)],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _title(profile: Profile, width: int) -> list[str]:
    rows = ", ".join(f"{split} {count:,}" for split, count in profile.rows.items())
    return textwrap.wrap(f"{profile.name}: {sum(profile.rows.values()):,} rows ({rows})", width)


def _classes(profile: Profile, width: int) -> list[str]:
    """Counts, ratio and what the settings make of them; then mitigations that could be tried, as far as they fit."""
    shown = profile.classes
    names = tuple(f"{'*' if one.minority else ' '}{cut(one.name, LONGEST_NAME)}" for one in shown)
    columns = [
        Column(("class",), names, "<"),
        *(Column((split,), tuple(f"{one.rows[split]:,}" for one in shown)) for split in profile.rows),
        Column(("ratio",), tuple(_ratio(profile.ratio(one)) for one in shown)),
        *_mitigation(shown, "", ("rows in", "an epoch"), ("weight",)),
    ]
    others = [name for name in shown[0].mitigations if name]
    optional = [column for name in others for column in _other(shown, name)]
    taken = fitting(columns, optional, width)
    legend = ["* minority class; ratio: training rows of the largest class for each; +: cut by class_weights.cap"]
    left = [] if len(taken) == len(columns) + len(optional) else ["More mitigations: --json, or a wider terminal."]
    return [*render_columns(taken), *textwrap.wrap(legend[0], max(40, total_width(taken))), *left]


def _mitigation(
    shown: Sequence[ClassProfile], name: str, rows: tuple[str, ...], weight: tuple[str, ...]
) -> list[Column]:
    mitigations = [one.mitigations[name] for one in shown]
    return [
        Column(rows, tuple(f"{one.rows:,.0f}" for one in mitigations)),
        Column(weight, tuple(f"{one.weight:.2f}{'+' if one.capped else ''}" for one in mitigations)),
    ]


def _other(shown: Sequence[ClassProfile], name: str) -> list[Column]:
    """Of a mitigation to try, the column in which it differs: the rows of a ratio, the weights of a strength."""
    key, value = name.split(" ")
    rows, weights = _mitigation(shown, name, ("rows at", f"ratio {value}"), ("weight at", f"strength {value}"))
    return [rows if key == "ratio" else weights]


def _lengths(profile: Profile) -> list[str]:
    if not profile.lengths:
        return []
    columns = [
        Column(("length",), tuple(one.unit for one in profile.lengths), "<"),
        *(
            Column((_quantile(share),), tuple(f"{one.quantiles[i]:,.0f}" for one in profile.lengths))
            for i, share in enumerate(QUANTILES)
        ),
    ]
    shares = [one.cut for one in profile.lengths if one.cut is not None]
    told = [f"{100 * share:.1f} % of the texts are cut by model.max_length {profile.max_length}" for share in shares]
    return [*render_columns(columns), *told]


def _scores(profile: Profile) -> list[str]:
    if not profile.scores:
        return []
    columns = [
        Column(("score",), tuple(profile.scores), "<"),
        *(
            Column((_quantile(share),), tuple(f"{values[i]:.1f}" for values in profile.scores.values()))
            for i, share in enumerate(QUANTILES)
        ),
    ]
    return render_columns(columns)


def _quantile(share: float) -> str:
    return {0.0: "least", 0.5: "median", 1.0: "most"}.get(share, f"{100 * share:.0f} %")


def _duplicates(profile: Profile, width: int) -> Iterator[str]:
    found = profile.duplicates
    within = ", ".join(f"{split} {count:,}" for split, count in found.within.items() if count)
    yield from textwrap.wrap(f"rows that repeat an earlier one of their split: {within or 'none'}", width)
    across = ", ".join(f"{count:,} of {other} in {one}" for (one, other), count in found.across.items() if count)
    yield from textwrap.wrap(f"rows that stand in another split too: {across or 'none'}", width)
    if found.contradicting:
        yield f"equal rows with different labels: {found.contradicting:,}"


def _labels_per_row(profile: Profile, width: int) -> Iterator[str]:
    told = profile.labels_per_row
    if told is None:
        return
    yield f"labels per row: {told.cardinality:.2f} in the mean; {told.none:,} training rows without any"
    pairs = ", ".join(f"{one} + {other} {rows:,}" for one, other, rows in told.together)
    yield from textwrap.wrap(f"most often together: {pairs or 'none'}", width, subsequent_indent="  ")
    broken = ", ".join(f"{rule} {rows:,}" for rule, rows in told.broken.items())
    yield from textwrap.wrap(f"rows that break a rule: {broken or 'none'}", width, subsequent_indent="  ")


def _slice(profile: Profile, column: str) -> list[str]:
    values = profile.slices[column]
    shown = sorted(values, key=lambda value: -sum(values[value].values()))[:SHOWN_VALUES]
    columns = [
        Column((column,), tuple(cut(value or "(none)", LONGEST_NAME) for value in shown), "<"),
        *(Column((split,), tuple(f"{values[value].get(split, 0):,}" for value in shown)) for split in profile.rows),
    ]
    more = [f"and {len(values) - len(shown)} more values"] if len(values) > len(shown) else []
    return [*render_columns(columns), *more]


def _ratio(ratio: float) -> str:
    if math.isinf(ratio):
        return "no rows"
    return f"{ratio:.0f}" if ratio >= 100 else f"{ratio:.1f}"
