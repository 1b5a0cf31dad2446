"""What a label is called, whatever file or frame it comes from, and which names look alike."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from rarecall.analysis.visible import visible

# What the name of a whole number looks like where a float column was written as text.
_WHOLE = re.compile(r"([+-]?)(\d+)\.0+")
_TRUTH = {"true", "false"}
_BLANKS = re.compile(r"[\s_-]+")
# Marks that show nothing: variation selectors, the joiner of graphemes, the dot that case folding leaves of İ.
_MARKS_UNSEEN = re.compile(r"[\ufe00-\ufe0f\u034f\u0307\U000e0100-\U000e01ef]")
SHOWN_ALIKE = 5


def label_of(cell: object) -> str:
    """The class or group a cell names, empty where it names none.

    Whole numbers and truth values are as JSON writes them, also where they come as text; blanks around a name do not
    count, Unicode is composed (NFC, Unicode Standard Annex 15), and control characters are written as escapes.

    >>> label_of(" spam "), label_of(2.0), label_of("2.0"), label_of(True), label_of("True"), label_of(None)
    ('spam', '2', '2', 'true', 'true', '')
    """
    if isinstance(cell, str):
        return _of_text(cell)
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        return "" if math.isnan(cell) else f"{cell + 0.0:.0f}" if cell.is_integer() else str(cell)
    return _of_text(_digits(cell)) if isinstance(cell, int | Decimal) else ""


def _digits(number: int | Decimal) -> str:
    """The number as text; empty for one with more digits than Python writes."""
    try:
        return "" if isinstance(number, Decimal) and number.is_nan() else str(number)
    except ValueError:
        return ""


def _of_text(text: str) -> str:
    name = visible(text.strip())
    if not name.isascii():
        if any("\ud800" <= character <= "\udfff" for character in name):
            return ""
        return unicodedata.normalize("NFC", name).strip()
    if name[:1] in "tTfF" and name.lower() in _TRUTH:
        return name.lower()
    if name.endswith("0") and (whole := _WHOLE.fullmatch(name)):
        return ("-" if whole[1] == "-" and whole[2].strip("0") else "") + whole[2]
    return name


def alike_key(name: str) -> str:
    """The same for names that look alike: upper and lower case, blanks, invisible characters, forms of a number.

    >>> len({alike_key(name) for name in ("Hazard", "hazard", "HAZ\u200bARD")}), alike_key("01") == alike_key("1")
    (1, True)
    >>> alike_key("10000001") == alike_key("10000002"), alike_key("\u0e14\u0e35") == alike_key("\u0e14\u0e39")
    (False, False)
    """
    plain = unicodedata.normalize("NFKC", name).casefold()
    plain = "".join(character for character in plain if not _invisible(character))
    plain = _BLANKS.sub(" ", plain).strip() or name
    try:
        number = float(plain) if plain[:1] in "+-.0123456789" else math.nan
    except ValueError:
        return plain
    # Beyond, neighbours are one float.
    return repr(number) if abs(number) < 2**53 else plain


def _invisible(character: str) -> bool:
    """Whether a character shows nothing by itself; vowel signs and tones do, which are marks like them."""
    return unicodedata.category(character) in ("Cf", "Cc") or bool(_MARKS_UNSEEN.match(character))


def alike_groups(counts: Mapping[str, int]) -> list[tuple[str, ...]]:
    """Names that look alike, the commonest of each group first.

    >>> alike_groups({"hazard": 10, "HAZARD": 5, "ordinary": 3})
    [('hazard', 'HAZARD')]
    """
    keys = {name: alike_key(name) for name in counts}
    several = {key for key, names in Counter(keys.values()).items() if names > 1}
    groups: dict[str, list[str]] = {}
    for name, key in keys.items():
        if key in several:
            groups.setdefault(key, []).append(name)
    return [tuple(sorted(group, key=lambda name: (-counts[name], name))) for group in groups.values()]


def merged_names(counts: Mapping[str, int], known: Sequence[str] = ()) -> dict[str, str]:
    """By name that looks like another: the one that stands for both, a known one or else the commonest.

    >>> merged_names({"hazard": 10, "HAZARD": 15}, ["hazard"]), merged_names({"hazard": 10, "HAZARD": 15})
    ({'HAZARD': 'hazard'}, {'hazard': 'HAZARD'})
    """
    chosen = {alike_key(name): name for name in reversed(known)}
    for group in alike_groups(counts):
        chosen.setdefault(alike_key(group[0]), group[0])
    keys = {name: alike_key(name) for name in counts if name not in known}
    return {name: chosen[key] for name, key in keys.items() if key in chosen and chosen[key] != name}


def alike_notes(counts: Mapping[str, int], remedy: str) -> list[str]:
    """A line for each group of names that look alike, with their counts.

    >>> alike_notes({"hazard": 10, "HAZARD": 5}, "data.merge_alike: true merges them")
    ["labels look alike: 'hazard' 10, 'HAZARD' 5 (data.merge_alike: true merges them)"]
    """
    lines = []
    for group in alike_groups(counts):
        told = ", ".join(f"{name!r} {counts[name]:,}" for name in group[:SHOWN_ALIKE])
        more = f" and {len(group) - SHOWN_ALIKE} more" if len(group) > SHOWN_ALIKE else ""
        lines.append(f"labels look alike: {told}{more} ({remedy})")
    return lines


def declared(name: object) -> object:
    """A name as an experiment file has it: numbers and truth values as the labels that they stand for.

    >>> declared(0), declared(True), declared("1.0"), declared([1])
    ('0', 'true', '1.0', [1])
    """
    return label_of(name) if isinstance(name, bool | int | float) else name


def by_meaning(names: Iterable[str]) -> dict[str, str]:
    """Declared names by what a cell that means them is read as.

    >>> by_meaning(["1.0", "spam"])
    {'1': '1.0', 'spam': 'spam'}
    """
    return {label_of(name): name for name in names}
