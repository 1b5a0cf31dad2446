"""An evaluation as text: classes, overall figures, confusion matrix, verdicts."""

import math
from collections.abc import Sequence

from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.evaluation.evaluation import Evaluation
from rarecall.analysis.metrics.registry import find, registered
from rarecall.analysis.text.table import Column, cut, fitting, render_columns, short_names
from rarecall.analysis.text.verdicts import verdict_lines
from rarecall.analysis.text.wording import interval_text, value_text

# A confusion matrix of more classes is no help on a terminal: then the largest confusions are named.
_MATRIX_CLASSES = 12
_CONFUSIONS = 10
_BY_CLASS = ("recall", "precision", "f1")


def render(evaluation: Evaluation, width: int) -> str:
    """The text within `width` columns, as far as the names allow."""
    rare = ", ".join(evaluation.labels.minority) or "none"
    level = f"{100 * evaluation.assessment.level:g} % intervals"
    parts = [
        [f"{evaluation.name}: {evaluation.rows:,} rows, {len(evaluation.labels.classes)} classes; {level}"],
        _classes(evaluation, width),
        _overall(evaluation, width),
        _confusion(evaluation, width),
        _verdicts(evaluation, width),
        [f"Minority classes: {rare}"] if len(rare) < 4 * width else [],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _classes(evaluation: Evaluation, width: int) -> list[str]:
    names, metrics = evaluation.labels.classes, evaluation.metrics
    columns = [
        Column(("class",), tuple(cut(name, 24) for name in names), "<"),
        Column(("rows",), tuple(value_text("support", metrics[f"support[{name}]"]) for name in names)),
    ]
    figures = [
        Column((metric,), tuple(_figure(evaluation, f"{metric}[{name}]") for name in names)) for metric in _BY_CLASS
    ]
    return render_columns(fitting(columns, figures, width))


def _overall(evaluation: Evaluation, width: int) -> list[str]:
    """Metrics that are no figure of a class, slices included."""
    names = {metric.name for metric in registered() if metric.selector != "class" or metric.mean}
    keys = [key for key in evaluation.metrics if key.partition("[")[0].partition("@")[0] in names]
    keys = [key for key in keys if math.isfinite(evaluation.metrics[key]) and not _of_class(key, evaluation)]
    if not keys:
        return []
    columns = [
        Column(("metric",), tuple(cut(key, max(12, width - 24)) for key in keys), "<"),
        Column(("value",), tuple(_figure(evaluation, key) for key in keys)),
    ]
    return render_columns(columns)


def _of_class(key: str, evaluation: Evaluation) -> bool:
    name, selector, _ = split_key(key)
    metric = find(name)
    # A dimension may bear the name of a tier.
    return metric is not None and metric.selector == "class" and selector in evaluation.labels.classes


def _figure(evaluation: Evaluation, key: str) -> str:
    """A value with its interval, such as `33.3 %   2–87 %`."""
    value = value_text(key, evaluation.metrics[key])
    interval = evaluation.intervals.get(key)
    return value if interval is None else f"{value} {interval_text(key, interval):>9}"


def _confusion(evaluation: Evaluation, width: int) -> list[str]:
    names = evaluation.labels.classes
    if evaluation.labels.multilabel:
        return []
    if len(names) > _MATRIX_CLASSES:
        return _largest_confusions(evaluation)
    short = [cut(name, 10) for name in short_names(names, "_- ")]
    columns = [Column(("true \\ predicted",), tuple(cut(name, 24) for name in names), "<")]
    columns += [
        Column((name,), tuple(str(row[index]) for row in evaluation.confusion)) for index, name in enumerate(short)
    ]
    return render_columns(fitting(columns[:1], columns[1:], width))


def _largest_confusions(evaluation: Evaluation) -> list[str]:
    names = evaluation.labels.classes
    cells = [
        (count, true, predicted)
        for true, row in enumerate(evaluation.confusion)
        for predicted, count in enumerate(row)
        if true != predicted and count
    ]
    largest: Sequence[tuple[int, int, int]] = sorted(cells, key=lambda cell: -cell[0])[:_CONFUSIONS]
    if not largest:
        return []
    columns = [
        Column(("rows",), tuple(str(count) for count, _, _ in largest)),
        Column(("true",), tuple(cut(names[true], 28) for _, true, _ in largest), "<"),
        Column(("predicted as",), tuple(cut(names[predicted], 28) for _, _, predicted in largest), "<"),
    ]
    return render_columns(columns)


def _verdicts(evaluation: Evaluation, width: int) -> list[str]:
    lines = verdict_lines(evaluation.assessment, width)
    return ["Criteria", *lines] if lines else []
