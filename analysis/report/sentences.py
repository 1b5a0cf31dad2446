"""What a report says in words, the same in every format."""

import math
import time
from collections import Counter
from dataclasses import dataclass

from rarecall.analysis.criteria.criterion import Status, split_key
from rarecall.analysis.criteria.verdicts import Finding
from rarecall.analysis.report.contents import Report
from rarecall.analysis.runs.ranking.standings import bargain
from rarecall.analysis.text.opened import elsewhere_text, others_text
from rarecall.analysis.text.wording import interval_text, probability_text, value_text

SIGNS: dict[Status, str] = {"met": "✓", "missed": "✕", "undecided": "?"}
_ORDER: tuple[Status, ...] = ("met", "missed", "undecided")
# More minority classes than these are counted instead of named.
_NAMED = 8


@dataclass(frozen=True)
class FindingText:
    """What is known about one criterion. decided_by: the class or dimension, where the criterion is about several."""

    criterion: str
    decided_by: str
    measured: str
    expected: str
    rows: str
    interval: str
    probability: str


def finding_text(finding: Finding) -> FindingText:
    """The figures of a finding as they are shown."""
    key = finding.verdict.key
    rows = f"{finding.proportion.hits} of {finding.rows}" if finding.proportion else f"{finding.rows:,}"
    name = "" if finding.criterion.names_one else split_key(key)[1]
    return FindingText(
        finding.criterion.text,
        f"decided by {name}" if name else "",
        value_text(key, finding.verdict.value) if key else "–",
        value_text(key, finding.expected) if key else "–",
        rows if key else "none",
        interval_text(key, finding.interval) if key else "–",
        probability_text(finding.probability),
    )


def about(report: Report) -> str:
    """Trials, rows and classes in one line."""
    parts = []
    if report.ranked:
        counts = Counter(standing.status for standing in report.ranked)
        statuses = ", ".join(f"{number} {status}" for status, number in counts.items())
        parts.append(f"{counted(len(report.ranked), 'trial')} ({statuses})")
    if report.predictions is not None:
        parts.append(f"{len(report.predictions):,} {'validation ' if report.run else ''}rows")
    parts.append(f"{len(report.labels.classes)} classes, {len(report.labels.minority)} of them minority")
    return " · ".join(parts)


def headline(report: Report) -> str:
    """The verdict in one sentence."""
    if not report.chosen and not report.evaluation:
        return "There is no winner: no trial has finished an epoch."
    if not report.criteria:
        return f"{_who(report)} is held against no criteria: the run states none."
    return f"{_who(report)} {_met(_statuses(report))}"


def joint(report: Report) -> tuple[str, str] | None:
    """What is known about all criteria together: a sentence, and the probability that ends it."""
    if not report.evaluation or not report.criteria:
        return None
    probability = report.evaluation.assessment.joint
    if math.isnan(probability):
        return "How probable it is that all criteria are met cannot be told: one has no rows.", ""
    return "Probability that the true values meet all criteria at once:", probability_text(probability)


def selection(report: Report) -> str:
    """How far being chosen flatters the winner; "" where there was no choice."""
    tried = sum(standing.best is not None for standing in report.ranked)
    if tried < 2:
        return ""
    if report.finalists:
        return (
            f"Of {tried} trials, those trained again on other folds and seeds decided: see Finalists. "
            "Those here are of the validation rows of the search, which flatter a trial chosen by them."
        )
    correction = report.evaluation.assessment.correction if report.evaluation else ""
    figures = f"Its expected figures are {correction}; verdicts are about these. " if correction else ""
    return (
        f"The winner is the best of {tried} trials on the same validation rows, which flatters it. {figures}"
        f"{_rest(report)}"
    )


def _rest(report: Report) -> str:
    if report.opened is None:
        elsewhere = elsewhere_text(report.run) if report.run else ""
        return (
            elsewhere
            or "Rows that no trial was chosen by, such as the test split that the export opens once, tell the rest."
        )
    told = f"Rows that no trial was chosen by are those of the test split, opened on {report.opened.day} for an export."
    return " ".join(filter(None, [told, others_text(report.opened)]))


def decision(report: Report) -> str:
    """Whether to ship, by the test split, in one sentence; "" where it is closed."""
    found = report.opened.decision if report.opened else None
    return f"{found.sentence}." if found else ""


def tested(report: Report) -> list[tuple[str, str, Status]]:
    """Of each criterion on the test split: the measured value, the rows behind it, and the verdict."""
    findings = report.opened.assessment.findings if report.opened else ()
    texts = [finding_text(finding) for finding in findings]
    return [(text.measured, text.rows, finding.status) for text, finding in zip(texts, findings, strict=True)]


def order(report: Report, shown: int) -> str:
    """How the leaderboard is ordered, of which `shown` trials are listed."""
    left_out = f" The first {shown} of {len(report.ranked):,} trials." if len(report.ranked) > shown else ""
    gain, cost = bargain(report.ranked, report.run)
    cost = "violation of the criteria" if cost == "violation" else cost
    return (
        "Ordered by criteria met, then by how far the others are missed, then by the objective. Criteria count as "
        "measured, recall is that of validation. Pareto: no trial beats it in both "
        f"{gain} and {cost}.{left_out}"
    )


def minority(report: Report) -> str:
    """Which classes are the minority."""
    names = report.labels.minority
    if len(names) > _NAMED:
        return f"{len(names)} of {len(report.labels.classes)} classes are minority classes, and marked."
    return f"Minority classes: {', '.join(names) or 'none'}."


def intervals(level: float) -> str:
    """What the intervals are, and when a criterion is met."""
    return (
        f"Intervals are {100 * level:g} %: exact (Clopper and Pearson) for shares that are a count of rows, "
        "from a bootstrap over the rows otherwise. A criterion is met from a probability of "
        f"{level:g} on, missed up to {1 - level:.2g} and undecided in between."
    )


def facts(report: Report) -> dict[str, str]:
    """What the report was made from."""
    if report.run is None:
        return {"predictions": report.title, "rows": f"{len(report.predictions or ()):,}"}
    header = report.run.header
    versions = header.get("versions")
    return {
        "run": str(header.get("run_id", "")),
        "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(float(report.run.headers[0].get("time", 0)))),
        "starts": str(len(report.run.headers)),
        "objective": report.run.objective,
        "seed": str(header.get("seed", "")),
        "data": str(header.get("data_hash", ""))[:20],
        "versions": ", ".join(f"{name} {one}" for name, one in versions.items()) if isinstance(versions, dict) else "",
    }


def counted(number: int, noun: str) -> str:
    """A number with its noun.

    >>> counted(1, "trial"), counted(2479, "row")
    ('1 trial', '2,479 rows')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _who(report: Report) -> str:
    if not report.chosen or not report.chosen.best:
        return f"{report.title}"
    told = f"trial {report.chosen.record.trial} at epoch {report.chosen.best.epoch}"
    if report.chosen.may_win:
        return f"The winner, {told},"
    if report.chosen.exportable:
        return f"There is no winner, as no trial found a rare row; the first, {told},"
    return f"No trial can be exported; the first, {told},"


def _statuses(report: Report) -> list[Status]:
    if report.evaluation:
        return [finding.status for finding in report.evaluation.assessment.findings]
    return [verdict.status for verdict in report.chosen.verdicts] if report.chosen else []


def _met(statuses: list[Status]) -> str:
    total = "its one criterion" if len(statuses) == 1 else f"all {len(statuses)} criteria"
    counts = {status: statuses.count(status) for status in _ORDER}
    if counts["met"] == len(statuses):
        return f"meets {total}."
    rest = ", ".join(f"{counts[status]} {status}" for status in _ORDER if counts[status])
    if counts["missed"]:
        return f"does not meet {total}: {rest}."
    return f"may meet {total}, but the rows do not decide it: {rest}."
