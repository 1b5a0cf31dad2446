"""What `rarecall predict` ends with: how often each class was named, mean scores, drift, and rows for a person."""

import math
from collections.abc import Sequence

from rarecall.analysis.calibration.abstention import rows_needed
from rarecall.analysis.calibration.drift import Tally, named_apart, scored_apart
from rarecall.analysis.text.table import Column, render_columns
from rarecall.search.predict.finishing import Finishing

# Classes in the table; with more, those that were named most.
SHOWN = 12
NEVER = "-"


def summary_lines(here: Tally, finishing: Finishing) -> list[str]:
    """Classes and scores of the predicted rows beside those of the validation rows, which are drawn as the training
    rows are and did not train; then a warning for what has drifted apart.
    """
    before = finishing.expected_tally()
    if not here.rows:
        return []
    lines = _table(here, before, finishing)
    return lines if before is None else [*lines, *_warnings(here, before, finishing)]


def _table(here: Tally, before: Tally | None, finishing: Finishing) -> list[str]:
    classes = _shown(here, finishing)
    columns = [
        Column(("class",), tuple(classes), "<"),
        Column(("named",), tuple(f"{here.named[name]:,}" for name in classes)),
        Column(("share",), tuple(percent(here.share(name)) for name in classes)),
    ]
    if before is not None:
        columns.append(Column(("in", "validation"), tuple(percent(before.share(name)) for name in classes)))
    training = finishing.stored.training
    if total := sum(training.values()):
        columns.append(Column(("true in", "training"), tuple(percent(training[name] / total) for name in classes)))
    if finishing.labels.dimensions:
        return [*render_columns(columns), *_means(list(here.totals), here, before)]
    columns.append(Column(("mean", "probability"), tuple(number(here.mean(name)) for name in classes)))
    if before is not None:
        columns.append(Column(("in", "validation"), tuple(number(before.mean(name)) for name in classes)))
    return render_columns(columns)


def _means(names: Sequence[str], here: Tally, before: Tally | None) -> list[str]:
    """Scores have other names than classes: a table of their own."""
    columns = [
        Column(("score",), tuple(names), "<"),
        Column(("mean",), tuple(number(here.mean(name)) for name in names)),
    ]
    if before is not None:
        columns.append(Column(("in", "validation"), tuple(number(before.mean(name)) for name in names)))
    return render_columns(columns)


def _shown(here: Tally, finishing: Finishing) -> list[str]:
    """All classes where they are few, otherwise those that were named most."""
    names = list(finishing.labels.classes)
    if len(names) <= SHOWN:
        return names
    return sorted(sorted(names, key=lambda name: -here.named[name])[:SHOWN], key=names.index)


def _warnings(here: Tally, before: Tally, finishing: Finishing) -> list[str]:
    warned = [
        f"drift: {name} is named in {percent(here.share(name))} of the rows, in validation in "
        f"{percent(before.share(name))}"
        for name in finishing.labels.classes
        if named_apart(name, here, before)
    ]
    warned += [
        f"drift: the mean {'score of ' if finishing.labels.dimensions else 'probability of '}{name} is "
        f"{number(here.mean(name))}, in validation {number(before.mean(name))}"
        for name in here.totals
        if scored_apart(name, here, before)
    ]
    if not warned:
        return []
    return [*warned, "the rows differ from those that the model was judged by; label some of them and run `evaluate`"]


def band_lines(finishing: Finishing) -> list[str]:
    """What each band costs and promises, before anything is predicted."""
    lines = []
    for one, paid in zip(finishing.bands, finishing.costs(), strict=True):
        name = finishing.labels.classes[one.index]
        if one.everything:
            lines.append(
                f"recall[{name}] >= {one.wanted:g}: {one.rows} rows of {name} cannot carry it, so every row that is "
                f"not named {name} goes to a person; {rows_needed(one.wanted)} rows would"
            )
            continue
        hits = "" if math.isnan(paid.hits) else f", {percent(paid.hits)} of them {name}"
        lines.append(
            f"recall[{name}] >= {one.wanted:g}: about {percent(paid.share)} of the rows go to a person{hits}; "
            f"{percent(paid.found)} of {one.rows} in validation are named or go there ({percent(paid.named)} named), "
            f"on fresh rows {percent(one.interval.low)} to {percent(one.interval.high)}"
        )
    return lines


def percent(share: float) -> str:
    """A share in percent, with two digits that count.

    >>> percent(0.41), percent(0.0123), percent(0.00042)
    ('41 %', '1.2 %', '0.042 %')
    """
    if math.isnan(share):
        return NEVER
    digits = max(0, 1 - math.floor(math.log10(100 * share))) if share > 0 else 0
    return f"{100 * share:.{digits}f} %"


def number(value: float) -> str:
    """A mean in three digits."""
    return NEVER if math.isnan(value) else f"{value:.3g}"
