"""Whether to ship a model, in one sentence, from verdicts on rows that nobody chose it by: those of the test split."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scipy.special import ndtri

from rarecall.analysis.criteria.criterion import Criterion, split_key
from rarecall.analysis.criteria.verdicts import Assessment, Finding
from rarecall.analysis.text.wording import is_share, value_text
from rarecall.analysis.uncertainty.decidability import decidability, rows_that_decide

Outcome = Literal["ship", "do not ship", "label more rows"]

# More rows than these are no advice.
MOST_ADVISED = 10_000
_LIMITS = {">=": "", ">": "more than ", "<=": "at most ", "<": "less than ", "==": ""}


@dataclass(frozen=True)
class Decision:
    """What the test split decides. sentence: why, in plain words, without a full stop."""

    outcome: Outcome
    sentence: str

    def __str__(self) -> str:
        return self.sentence

    def plain(self) -> dict[str, Any]:
        """Both as JSON has them."""
        return {"outcome": self.outcome, "sentence": self.sentence}


def decide(tested: Assessment) -> Decision | None:
    """One criterion missed is enough not to ship, one undecided enough to label more rows; None without criteria.

    tested: verdicts on test rows, which no choice has flattered.
    """
    if not tested.findings:
        return None
    missed = [finding for finding in tested.findings if finding.status == "missed"]
    if missed:
        worst = max(missed, key=lambda finding: finding.verdict.violation)
        return Decision("do not ship", f"Do not ship: {_missed(worst)}{_others(missed, 'missed')}")
    undecided = [finding for finding in tested.findings if finding.status == "undecided"]
    if undecided:
        needy = max(undecided, key=lambda finding: more_rows(finding, tested.level))
        return Decision("label more rows", _label(needy, tested.level) + _others(undecided, "undecided"))
    count = len(tested.findings)
    return Decision("ship", f"Ship: the test split meets {f'all {count} criteria' if count > 1 else 'its criterion'}")


def more_rows(finding: Finding, level: float) -> int:
    """About how many more rows an undecided criterion needs, above `MOST_ADVISED` where hardly any number decides.

    Few rows are asked to decide for a model that is 10 points better than asked for (`uncertainty.decidability`),
    enough of them for the value that was measured.
    """
    criterion, value, rows = finding.criterion, finding.verdict.value, finding.rows
    if (finding.proportion or not rows) and is_share(criterion.metric) and criterion.op != "==":
        needed = decidability(rows, criterion.threshold, at_most=criterion.op in ("<=", "<"), level=level).needed
        if needed <= rows:
            needed = rows_that_decide(value, criterion.threshold, level)
        return max(1, needed - rows)
    return _by_width(finding, level)


def _by_width(finding: Finding, level: float) -> int:
    """Intervals get narrower with the root of the rows; one side of it must leave the threshold."""
    distance = abs(finding.verdict.value - finding.criterion.threshold)
    width = (finding.interval.high - finding.interval.low) / 2
    if not (finding.rows and distance > 0 and math.isfinite(width)):
        return MOST_ADVISED + 1
    factor = (width / distance * float(ndtri(level) / ndtri((1 + level) / 2))) ** 2
    return max(1, math.ceil(min(finding.rows * (factor - 1), MOST_ADVISED + 1)))


def _missed(finding: Finding) -> str:
    share = finding.proportion
    rows = f"{share.hits:,} of {share.rows:,}" if share else f"{finding.rows:,} rows"
    measured = f"{_subject(finding)} {_figure(finding)} on the test split ({rows})"
    return f"{measured}, wanted {_wanted(finding.criterion)}"


def _label(finding: Finding, level: float) -> str:
    more, kind = more_rows(finding, level), _kind(finding)
    about = f"about {_rounded(more):,} more {kind}" if more <= MOST_ADVISED else f"many more {kind}"
    wanted = _wanted(finding.criterion)
    if not finding.rows:
        return f"Label {about}: the test split has none"
    if finding.proportion:
        return f"Label {about}: {finding.rows:,} cannot decide {wanted}"
    told = f"{finding.rows:,} cannot decide whether {_subject(finding)}, measured {_figure(finding)}"
    return f"Label {about}: {told}, is {'at least ' if finding.criterion.op == '>=' else ''}{wanted}"


def _kind(finding: Finding) -> str:
    """Of which rows there are too few."""
    metric, selector, _ = split_key(finding.verdict.key or _key(finding.criterion))
    if not selector:
        return "rows"
    return f"rows called {selector}" if metric == "precision" else f"{selector} rows"


def _key(criterion: Criterion) -> str:
    return f"{criterion.metric}[{criterion.selector}]" if criterion.selector else criterion.metric


def _subject(finding: Finding) -> str:
    """A recall goes by its class alone; others are named, as `precision of pilot` and `mae`."""
    metric, selector, part = split_key(finding.verdict.key)
    name = selector or metric if metric == "recall" else f"{metric} of {selector}" if selector else metric
    return f"{name} at {part}" if part else name


def _wanted(criterion: Criterion) -> str:
    limit = criterion.threshold
    figure = f"{100 * limit:g} %" if is_share(criterion.metric) else value_text(criterion.metric, limit)
    return f"{_LIMITS[criterion.op]}{figure}"


def _figure(finding: Finding) -> str:
    """Shares as whole percents, unless that would be the threshold itself."""
    value, key = finding.verdict.value, finding.verdict.key
    if not is_share(key):
        return value_text(key, value)
    whole = f"{100 * value:.0f} %"
    return value_text(key, value) if whole == f"{100 * finding.criterion.threshold:.0f} %" else whole


def _others(findings: Sequence[Finding], status: str) -> str:
    """How many criteria the sentence does not name."""
    more = len(findings) - 1
    return f"; {more} more criteri{'on is' if more == 1 else 'a are'} {status}" if more else ""


def _rounded(rows: int) -> int:
    """Up to what one would say: steps of 5 below 50, of 10 below 200, then two digits."""
    step = 5 if rows < 50 else 10 if rows < 200 else 10 ** (len(str(rows)) - 2)
    return -(-rows // step) * step
