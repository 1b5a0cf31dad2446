"""A parameter's values as an axis: numbers evenly or by their logarithm, names each at a place of its own."""

from collections.abc import Sequence

from rarecall.analysis.report.html.drawing.charts import Axis
from rarecall.analysis.report.html.drawing.scale import Scale, around
from rarecall.analysis.report.parameter_values import Value, logarithmic, names_of, number_text, numbers_of
from rarecall.analysis.text.table import cut

_NAME = 12


def axis_of(values: Sequence[Value], name: str, start: float, end: float) -> Axis:
    """The axis that holds all values."""
    if names := names_of(values):
        scale = Scale(-0.5, len(names) - 0.5, start, end)
        return Axis(scale, name, lambda place: cut(names[round(place)], _NAME), ticks=range(len(names)))
    numbers = numbers_of(values)
    distinct = sorted(set(numbers))
    return Axis(
        around(numbers, start, end, log=logarithmic(numbers)),
        name,
        number_text,
        ticks=distinct if len(distinct) <= 4 else None,
    )


def places_of(values: Sequence[Value], axis: Axis) -> list[float | None]:
    """Where the values lie on their axis."""
    names = names_of(values)
    return [
        None if value is None else axis.scale(float(names.index(value)) if isinstance(value, str) else value)
        for value in values
    ]
