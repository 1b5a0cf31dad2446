"""Keyword rules: words in a text that lift a predicted score or cap it, whatever the model says.

Trials see encoded rows only; so what is found in the texts is noted once, where they are read, as a column per rule.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import regex

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.errors import Fault, InputError
from rarecall.trainables.data.examples import Examples

# Seconds that a pattern may take on one text.
PATIENCE = 1.0
# Thai, Lao, Burmese, Khmer, kana, Chinese characters, Hangul: a word is not set apart there, or its ending is attached.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
    r"\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# Of which `str.split` knows more than `\s` of the module regex does.
_BLANKS = r"[\s\x1c-\x1f]+"
_LETTER = rf"[^\W{_UNSPACED}]"


@dataclass(frozen=True)
class KeywordRule:
    """Where `pattern`, a regular expression for which case does not matter, is found, a score is kept within bounds.

    dimension: index of the score, None for the overall score. at_least, at_most: the bounds, infinite for none.
    """

    pattern: str
    dimension: int | None = None
    at_least: float = -math.inf
    at_most: float = math.inf

    def found(self, texts: Sequence[str]) -> BoolArray:
        """Whether the pattern is in each of n texts [n].

        Raises:
            InputError: it takes longer than `PATIENCE` seconds on one of them.
        """
        search = regex.compile(self.pattern, regex.IGNORECASE).search
        try:
            return np.fromiter((search(text, timeout=PATIENCE) is not None for text in texts), np.bool_, len(texts))
        except TimeoutError:
            rule = f"patterns must be decided within {PATIENCE:g} s on any text"
            remedy = "it backtracks without end; avoid a repetition within a repetition, such as (a+)+"
            raise InputError("task.keywords", [Fault("task.keywords", rule, repr(self.pattern), remedy)]) from None


def marked(examples: Examples, rules: Sequence[KeywordRule]) -> Examples:
    """The examples with what the rules find in their texts; as they are where there are no rules."""
    if not rules:
        return examples
    return replace(examples, keywords=np.column_stack([rule.found(examples.texts) for rule in rules]))


def bounded(
    values: FloatArray, found: BoolArray, rules: Sequence[KeywordRule], dimension: int | None = None
) -> FloatArray:
    """Scores [n] of one dimension, or the overall ones, kept within the bounds of the rules found [n, rules].

    The highest `at_least` lifts, then the lowest `at_most` caps; so the order of the rules does not matter, and where
    one text holds both, the cap wins.

    >>> lift, cap = KeywordRule("deployed", at_least=6.0), KeywordRule("plans to", at_most=3.9)
    >>> both = np.array([[True, False], [True, True], [False, True]])
    >>> bounded(np.array([5.0, 5.0, 2.0]), both, [lift, cap]).tolist()
    [6.0, 3.9, 2.0]
    """
    lowest, highest = np.full(len(values), -np.inf), np.full(len(values), np.inf)
    for rule, there in zip(rules, found.T, strict=True):
        if rule.dimension == dimension:
            lowest[there] = np.maximum(lowest[there], rule.at_least)
            highest[there] = np.minimum(highest[there], rule.at_most)
    return np.asarray(np.minimum(np.maximum(values, lowest), highest))


def words_pattern(words: Sequence[str]) -> str:
    r"""The regular expression that finds any of these words or phrases, and no part of a longer word.

    Blanks stand for blanks of any length, line breaks included. In scripts that set no words apart, and at signs such
    as the + of `C++`, a word may go on.

    >>> pattern = words_pattern(["concept", "in production", "導入済み"])
    >>> [bool(re.search(pattern, text)) for text in ("concept!", "concepts", "now in\nproduction", "本番導入済みです")]
    [True, False, True, True]
    """
    return "|".join(_whole(word) for word in words)


def _whole(word: str) -> str:
    parts = word.split()
    before = rf"(?<!{_LETTER})" if re.match(_LETTER, parts[0]) else ""
    after = rf"(?!{_LETTER})" if re.match(_LETTER, parts[-1][-1]) else ""
    return before + _BLANKS.join(map(re.escape, parts)) + after
