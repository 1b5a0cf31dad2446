"""Text from outside, made safe for a terminal and for a spreadsheet."""

import re

# C0 and C1 controls but for tab and line feed, and what turns the direction of writing.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def visible(text: str) -> str:
    r"""The text with its control characters as escapes, so that none of them reaches a terminal.

    >>> print(visible("spam\x1b[31m\nham"))
    spam\x1b[31m
    ham
    """
    return _CONTROLS.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def visible_json(text: str) -> str:
    r"""JSON with its control characters, of which those of C1 may stand in it raw, as escapes of JSON.

    >>> visible_json('"\x9b31m"')
    '"\\u009b31m"'
    """
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def not_a_formula(cell: object) -> object:
    """A text that a spreadsheet would run as a formula with an apostrophe before it; numbers as they are.

    The five beginnings are those of the OWASP page on CSV injection.

    >>> not_a_formula("=1+1"), not_a_formula("-0.5"), not_a_formula("a=1"), not_a_formula(-0.5)
    ("'=1+1", '-0.5', 'a=1', -0.5)
    """
    if not isinstance(cell, str) or not cell.lstrip(" ").startswith(_FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell
