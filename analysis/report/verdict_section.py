"""The verdict: which trial won, what each criterion says about it, and how sure that is."""

import math

from analysis.bands import Band, band_of
from analysis.criteria import Status, split_key
from analysis.report.contents import Report
from analysis.report.markup import Child, Markup, element
from analysis.report.section import Section, note
from analysis.report.strip import amount_scale, share_scale, strip
from analysis.report.table import Cell, Heading, table, words
from analysis.verdicts import Assessment, Finding
from analysis.winner_text import plain
from analysis.wording import distance_text, interval_text, is_share, probability_text, value_text

_SIGNS: dict[Status, str] = {"met": "✓", "missed": "✕", "undecided": "?"}
_ORDER: tuple[Status, ...] = ("met", "missed", "undecided")


def verdict_section(report: Report) -> Section:
    """The first section of every report."""
    content: list[Child] = [element("p", headline(report), class_="headline"), _joint(report)]
    if report.evaluation and report.criteria:
        caption = "Criteria of the winner" if report.run else "Criteria"
        content.append(_findings(report.evaluation.assessment, caption))
    elif report.chosen and report.criteria:
        content += [_as_measured(report), note("No intervals: the stored predictions of this trial cannot be read.")]
    content += [_selection(report), _closest_miss(report), _outcome(report), _parameters(report)]
    return Section("Verdict", tuple(content))


def headline(report: Report) -> str:
    """The verdict in one sentence."""
    if not report.chosen and not report.evaluation:
        return "There is no winner: no trial has finished an epoch."
    if not report.criteria:
        return f"{_who(report)} is held against no criteria: the run states none."
    return f"{_who(report)} {_met(_statuses(report))}"


def status_mark(status: Status) -> Markup:
    """A verdict as a sign and a word."""
    return element("span", element("span", _SIGNS[status], aria_hidden="true"), f" {status}", class_=f"status {status}")


def _who(report: Report) -> str:
    if not report.chosen or not report.chosen.best:
        return f"{report.title}"
    told = f"trial {report.chosen.record.trial} at epoch {report.chosen.best.epoch}"
    return f"The winner, {told}," if report.chosen.exportable else f"No trial can be exported; the first, {told},"


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


def _joint(report: Report) -> Child:
    if not report.evaluation or not report.criteria:
        return None
    joint = report.evaluation.assessment.joint
    if math.isnan(joint):
        return element("p", "How probable it is that all criteria are met cannot be told: one has no rows.")
    sentence = "Probability that the true values meet all criteria at once: "
    return element("p", sentence, element("strong", probability_text(joint)), class_="joint")


def _findings(assessment: Assessment, caption: str) -> Markup:
    level = f"{100 * assessment.level:g} % interval"
    headings = [
        words("criterion"),
        words("verdict"),
        Heading("measured"),
        Heading("rows"),
        Heading(level),
        words("where the true value lies"),
        Heading("P(met)", title="Probability that the true value meets the criterion"),
    ]
    return table(caption, headings, [_finding(one) for one in assessment.findings], stacked=True)


def _finding(finding: Finding) -> list[Cell | Child]:
    key = finding.verdict.key
    rows = f"{finding.proportion.hits} of {finding.rows}" if finding.proportion else f"{finding.rows:,}"
    return [
        [element("code", finding.criterion.text), _decided_by(finding)],
        status_mark(finding.status),
        value_text(key, finding.verdict.value) if key else "–",
        rows if key else "none",
        interval_text(key, finding.interval) if key else "–",
        Cell(_strip(finding), class_="picture"),
        probability_text(finding.probability),
    ]


def _decided_by(finding: Finding) -> Child:
    """Which class or dimension decided, where a criterion is about several."""
    name = split_key(finding.verdict.key)[1]
    return None if finding.criterion.names_one or not name else element("small", f"decided by {name}")


def _strip(finding: Finding) -> Markup:
    value, interval = finding.verdict.value, finding.interval
    shares = is_share(finding.criterion.metric)
    scale = share_scale(interval.low) if shares else amount_scale([value, interval.high, finding.criterion.threshold])
    return strip(scale, value, interval, finding.criterion)


def _as_measured(report: Report) -> Markup:
    verdicts = report.chosen.verdicts if report.chosen else ()
    rows: list[list[Cell | Child]] = [
        [
            element("code", one.criterion.text),
            status_mark(one.status),
            value_text(one.key, one.value) if one.key else "–",
        ]
        for one in verdicts
    ]
    return table("Criteria as measured", [words("criterion"), words("verdict"), Heading("measured")], rows)


def _selection(report: Report) -> Child:
    tried = sum(standing.best is not None for standing in report.ranked)
    if tried < 2:
        return None
    if report.finalists:
        return note(
            f"Of {tried} trials, those trained again on other folds and seeds decided: see Finalists. "
            "Those here are of the validation rows of the search, which flatter a trial chosen by them."
        )
    return note(
        f"The winner is the best of {tried} trials on the same validation rows, which flatters it. "
        "Rows that no trial was chosen by, such as the test split that the export opens once, tell the rest."
    )


def _closest_miss(report: Report) -> Child:
    missed = report.chosen.closest_miss if report.chosen else None
    if missed is None:
        return None
    return element("p", "Closest miss: ", element("code", missed.criterion.text), f", {distance_text(missed)}.")


def _outcome(report: Report) -> Child:
    if not report.run or not report.run.bands or not report.metrics:
        return None
    band = band_of(report.metrics, report.run.bands)
    if band is None:
        return element("p", f"Outcome: none of {', '.join(one.name for one in report.run.bands)}.")
    return [element("p", "Outcome: ", element("strong", band.name), "."), _next_steps(band)]


def _next_steps(band: Band) -> Child:
    if not band.next_steps:
        return None
    return element("ul", [element("li", step) for step in band.next_steps])


def _parameters(report: Report) -> Child:
    params = report.chosen.record.params if report.chosen else {}
    if not params:
        return None
    pairs = [element("div", element("dt", path), element("dd", plain(value))) for path, value in params.items()]
    return [element("h3", "Its configuration"), element("dl", pairs, class_="facts")]
