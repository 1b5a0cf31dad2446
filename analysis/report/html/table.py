"""Tables as HTML: a caption, column and row headers, numbers to the right, values to sort by."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from rarecall.analysis.report.html.markup import Attribute, Child, Markup, element


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, and the value that a sort goes by where the text does not do. class_: of the cell."""

    content: Child
    value: float | None = None
    class_: str | None = None


@dataclass(frozen=True)
class Heading:
    """The head of a column. title: the name in full, where the content is short."""

    content: Child
    number: bool = True
    title: str | None = None


def words(content: Child, title: str | None = None) -> Heading:
    """The head of a column of text."""
    return Heading(content, number=False, title=title)


def table(
    caption: str,
    headings: Sequence[Heading],
    rows: Sequence[Sequence[Cell | Child]],
    *,
    class_: str | None = None,
    row_attributes: Sequence[dict[str, Attribute]] | None = None,
    head: int = 0,
    stacked: bool = False,
) -> Markup:
    """A table in a frame of its own that can be scrolled, with the keyboard as well.

    head: the column that names rows. stacked: whether narrow pages show each row as a list; then roles are written out,
    which browsers forget where a table is laid out as something else.
    """
    if stacked:
        return _stacked(caption, headings, rows, class_)
    attributes = row_attributes or [{}] * len(rows)
    body = [_row(headings, row, head, given) for row, given in zip(rows, attributes, strict=True)]
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", map(_heading, headings))),
        element("tbody", body),
        class_=class_,
    )
    return scrolling(whole, caption, "tall" if class_ and "sortable" in class_ else None)


def scrolling(content: Child, label: str, class_: str | None = None) -> Markup:
    """A frame for what may be wider than the page."""
    names = " ".join(filter(None, ("scroll", class_)))
    return element("div", content, class_=names, role="group", aria_label=label, tabindex="0")


def _stacked(
    caption: str, headings: Sequence[Heading], rows: Sequence[Sequence[Cell | Child]], class_: str | None
) -> Markup:
    heads = [element("th", _named(one), scope="col", role="columnheader", class_=_kind(one)) for one in headings]
    body = [element("tr", _stacked_cells(headings, row), role="row") for row in rows]
    names = " ".join(filter(None, ("stacked", class_)))
    whole = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", heads, role="row"), role="rowgroup"),
        element("tbody", body, role="rowgroup"),
        class_=names,
        role="table",
    )
    return scrolling(whole, caption)


def _stacked_cells(headings: Sequence[Heading], row: Sequence[Cell | Child]) -> list[Markup]:
    cells = []
    for number, (heading, given) in enumerate(zip(headings, row, strict=True)):
        cell = given if isinstance(given, Cell) else Cell(given)
        names = " ".join(filter(None, (_kind(heading), cell.class_))) or None
        role = "cell" if number else "rowheader"
        label = str(heading.content)
        cells.append(element("td" if number else "th", cell.content, role=role, class_=names, data_label=label))
    return cells


def _heading(heading: Heading) -> Markup:
    return element("th", _named(heading), scope="col", class_=_kind(heading))


def _named(heading: Heading) -> Child:
    if heading.title and heading.title != heading.content:
        return element("abbr", heading.content, title=heading.title)
    return heading.content


def _kind(heading: Heading) -> str | None:
    return "number" if heading.number else None


def _row(
    headings: Sequence[Heading], row: Sequence[Cell | Child], head: int, attributes: dict[str, Attribute]
) -> Markup:
    cells = [
        _cell(heading, cell, number == head) for number, (heading, cell) in enumerate(zip(headings, row, strict=True))
    ]
    return element("tr", cells, **attributes)


def _cell(heading: Heading, cell: Cell | Child, names_row: bool) -> Markup:
    cell = cell if isinstance(cell, Cell) else Cell(cell)
    value = cell.value if cell.value is not None and math.isfinite(cell.value) else None
    names = " ".join(filter(None, (_kind(heading), cell.class_))) or None
    return element(
        "th" if names_row else "td", cell.content, scope="row" if names_row else None, class_=names, data_v=value
    )
