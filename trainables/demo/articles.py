"""The embedded data set: generated news items about technology, scored for how far it has really got.

Three scores from 0 to 10 (deployment_maturity, proof_of_impact, technical_readiness), weighted .5, .3 and .2, give an
overall score, which cuts at 4, 6 and 8 into vaporware, pilot, early_commercial and deployed_proven. Each article has a
true quality from which its text is written; the scores in the file are an oracle's, that is the true ones plus noise.

Only `random()` of the standard generator and exactly rounded arithmetic are used, so a seed gives the same bytes on
every machine and Python version.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from rarecall.trainables.demo import domains as names
from rarecall.trainables.demo import phrases

Item = TypeVar("Item")
Tenths = tuple[int, int, int]

TIER_COUNTS = {"vaporware": 1688, "pilot": 224, "early_commercial": 139, "deployed_proven": 29}
# Overall score in hundredths when the dimension scores are given in tenths: 10 * weight of each, and the cuts.
WEIGHTS = {"deployment_maturity": 5, "proof_of_impact": 3, "technical_readiness": 2}
CUTS = (400, 600, 800)
# Where the true quality of a tier's articles lies; the best stand a little apart from those below them.
QUALITIES = ((0.4, 4.0), (4.0, 6.0), (6.0, 7.7), (8.5, 10.0))

DIMENSION_SPREAD = 0.6
ORACLE_NOISE = 0.5
TEXT_NOISE = 0.3
SENTENCE_SHARES = (0.20, 0.30, 0.24, 0.13, 0.06, 0.04, 0.02, 0.01)

_CHOICE = re.compile(r"\[([^\]]*)\]")


def generate_articles(count: int = 2080, seed: int = 7) -> list[dict[str, Any]]:
    """`count` articles in random order: id, title, text and the three scores with one decimal.

    The tiers of the scores in the file hold exactly the shares of 1,688 / 224 / 139 / 29, at least one article each.
    No two articles share title and text. Raises ValueError when `count` is below the number of tiers.
    """
    random = Random(seed)
    places = tier_counts(count)
    seen: set[tuple[str, str]] = set()
    articles: list[dict[str, Any]] = []
    while any(places):
        truth = _true_scores(random)
        scores = _oracle_scores(random, truth)
        tier = _tier(scores)
        if tier is None or not places[tier]:
            continue
        title, text = _write(random, truth)
        if (title, text) in seen:
            continue
        seen.add((title, text))
        places[tier] -= 1
        articles.append({"title": title, "text": text, **_in_points(scores)})
    return [{"id": f"article-{i:05d}", **article} for i, article in enumerate(_shuffled(random, articles), start=1)]


def write_articles(path: Path | str, count: int = 2080, seed: int = 7) -> None:
    """Write `generate_articles(count, seed)` to `path` as JSON lines; missing folders are made."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(article, ensure_ascii=False) for article in generate_articles(count, seed)]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def tier_counts(count: int) -> list[int]:
    """How many of `count` articles fall into each tier, lowest tier first.

    >>> tier_counts(2080)
    [1688, 224, 139, 29]
    >>> tier_counts(40)
    [32, 4, 3, 1]
    """
    if count < len(TIER_COUNTS):
        raise ValueError(f"count must be at least {len(TIER_COUNTS)}, one article for each tier, got {count}")
    total = sum(TIER_COUNTS.values())
    rare = [max(1, round(count * share / total)) for share in list(TIER_COUNTS.values())[1:]]
    return [count - sum(rare), *rare]


def _true_scores(random: Random) -> tuple[float, ...]:
    """True scores around one quality, whose density falls within each tier as it does between them."""
    total = sum(TIER_COUNTS.values())
    tier = _weighted(random, range(len(TIER_COUNTS)), [n / total for n in TIER_COUNTS.values()])
    low, high = QUALITIES[tier]
    within = random.random() if tier == 0 else min(random.random(), random.random())
    quality = low + (high - low) * within
    return tuple(_clip(quality + DIMENSION_SPREAD * _normal(random)) for _ in WEIGHTS)


def _oracle_scores(random: Random, truth: Sequence[float]) -> Tenths:
    first, second, third = (round(10 * _clip(score + ORACLE_NOISE * _normal(random))) for score in truth)
    return first, second, third


def _tier(scores: Tenths) -> int | None:
    """Index of the tier; None on a cut, where rounding elsewhere could tip the article to either side."""
    overall = sum(weight * score for weight, score in zip(WEIGHTS.values(), scores, strict=True))
    return None if overall in CUTS else sum(overall > cut for cut in CUTS)


def _in_points(scores: Tenths) -> dict[str, float]:
    return {name: score / 10 for name, score in zip(WEIGHTS, scores, strict=True)}


def _write(random: Random, truth: Sequence[float]) -> tuple[str, str]:
    """Title and text for an article of these true scores."""
    slots = _slots(random)
    high = truth[0] >= 5.0
    titles = phrases.HYPE_TITLES if random.random() < (0.25 if high else 0.5) else phrases.PLAIN_TITLES
    length = _weighted(random, range(1, len(SENTENCE_SHARES) + 1), SENTENCE_SHARES)
    templates = [_evidence(random, phrases.DEPLOYMENT, truth[0])]
    while len(templates) < length:
        template = _further(random, truth, misleading=phrases.UNDERSTATEMENTS if high else phrases.BOASTS)
        if template not in templates:
            templates.append(template)
    order = _shuffled(random, templates) if random.random() < 0.5 else templates
    return _fill(random, _pick(random, titles), slots), " ".join(_fill(random, template, slots) for template in order)


def _further(random: Random, truth: Sequence[float], misleading: Sequence[str]) -> str:
    """One more sentence: evidence for a dimension, a misleading one, or one that says nothing."""
    kinds = ("deployment", "impact", "readiness", "misleading", "neutral")
    kind = _weighted(random, kinds, (0.26, 0.27, 0.17, 0.19, 0.11))
    if kind == "deployment":
        return _evidence(random, phrases.DEPLOYMENT, truth[0])
    if kind == "impact":
        return _evidence(random, phrases.IMPACT, truth[1])
    if kind == "readiness":
        return _evidence(random, phrases.READINESS, truth[2])
    return _pick(random, misleading if kind == "misleading" else phrases.NEUTRAL)


def _evidence(random: Random, levels: Sequence[Sequence[str]], score: float) -> str:
    """A sentence of the level that the score stands for, now and then of a neighbouring one."""
    level = int(_clip(score + TEXT_NOISE * _normal(random)) / 2.0)
    return _pick(random, levels[min(level, len(levels) - 1)])


def _slots(random: Random) -> dict[str, str]:
    """What one article says wherever its templates leave a gap."""
    domain = _pick(random, names.DOMAINS)
    thing, things = _pick(random, domain.things)
    slots = {
        "org": _pick(random, names.ORGANISATION_HEADS) + _pick(random, names.ORGANISATION_TAILS),
        "thing": thing,
        "things": things,
        "a_thing": _with_article(thing),
        "site": domain.site[0],
        "a_site": _with_article(domain.site[0]),
        "sites": domain.site[1],
        "users": domain.users,
        "burden": domain.burden,
        "place": _pick(random, names.PLACES),
        "few": names.NUMBER_WORDS[_integer(random, 0, 4)],
        "years": names.NUMBER_WORDS[_integer(random, 2, 12)],
        "small": str(_integer(random, 13, 60)),
        "n": str(_integer(random, 40, 480)),
        "hundreds": f"{100 * _integer(random, 3, 19):,}",
        "thousands": f"{_integer(random, 2, 60)},000",
        "pct": str(_integer(random, 6, 45)),
        "past": str(_integer(random, 2006, 2017)),
        "recent": str(_integer(random, 2021, 2024)),
        "future": str(_integer(random, 2026, 2032)),
    }
    return slots | {f"{name}_cap": value[:1].upper() + value[1:] for name, value in slots.items()}


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _fill(random: Random, template: str, slots: Mapping[str, str]) -> str:
    chosen = _CHOICE.sub(lambda match: _pick(random, match.group(1).split("|")), template)
    filled = chosen.format_map(slots)
    return filled[:1].upper() + filled[1:]


def _pick(random: Random, items: Sequence[Item]) -> Item:
    return items[int(random.random() * len(items))]


def _integer(random: Random, low: int, high: int) -> int:
    return low + int(random.random() * (high - low + 1))


def _weighted(random: Random, items: Sequence[Item], shares: Sequence[float]) -> Item:
    drawn = random.random()
    for item, share in zip(items, shares, strict=True):
        drawn -= share
        if drawn < 0:
            return item
    return items[-1]


def _normal(random: Random) -> float:
    """Mean 0, variance 1: twelve uniform numbers added (Irwin–Hall), which needs no rounding of a library function."""
    return sum(random.random() for _ in range(12)) - 6.0


def _shuffled(random: Random, items: Sequence[Item]) -> list[Item]:
    return [item for _, item in sorted(((random.random(), item) for item in items), key=lambda pair: pair[0])]


def _clip(score: float) -> float:
    return min(10.0, max(0.0, score))
