"""HTML and SVG as nested elements: whatever is not markup already is escaped."""

import html
from collections.abc import Iterable

_VOID = frozenset({"br", "col", "input", "meta"})

Attribute = str | float | bool | None


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | int | None | Iterable["Child"]


def element(name: str, *children: Child, **attributes: Attribute) -> Markup:
    """An element; None stands for nothing, among children as among attributes.

    Attribute names lose a trailing underscore, and others become hyphens; True is an attribute without value.

    >>> element("td", "a < b", class_="number", data_value=0.25, hidden=False)
    '<td class="number" data-value="0.25">a &lt; b</td>'
    """
    start = f"<{name}{''.join(_attribute(*pair) for pair in attributes.items())}>"
    return Markup(start if name in _VOID else f"{start}{joined(children)}</{name}>")


def joined(children: Child) -> Markup:
    """Children one after another.

    >>> joined(["1 < 2", None, element("br"), 3])
    '1 &lt; 2<br>3'
    """
    if children is None:
        return Markup()
    if isinstance(children, Markup):
        return children
    if isinstance(children, str | int):
        return Markup(html.escape(str(children), quote=False))
    return Markup("".join(joined(child) for child in children))


def compact(number: float) -> str:
    """A coordinate with as few digits as a screen can show.

    >>> compact(12.3456), compact(3.0)
    ('12.3', '3')
    """
    return f"{number:.1f}".removesuffix(".0")


def slug(text: str) -> str:
    """A text as part of an id.

    >>> slug("MAE per dimension")
    'mae-per-dimension'
    """
    return "-".join("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    name = name.removesuffix("_").replace("_", "-")
    if value is True:
        return f" {name}"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f' {name}="{html.escape(text)}"'
