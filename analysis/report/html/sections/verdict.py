"""The verdict: which trial won, what each criterion says about it, and how sure that is."""

from collections.abc import Sequence

from rarecall.analysis.criteria.bands import Band, band_of
from rarecall.analysis.criteria.criterion import Status
from rarecall.analysis.criteria.verdicts import Assessment, Finding
from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.drawing.strip import amount_scale, share_scale, strip
from rarecall.analysis.report.html.markup import Child, Markup, element
from rarecall.analysis.report.html.sections.section import Section, note
from rarecall.analysis.report.html.table import Cell, Heading, table, words
from rarecall.analysis.report.sentences import SIGNS, decision, finding_text, headline, joint, selection, tested
from rarecall.analysis.runs.ranking.advantage import advantage
from rarecall.analysis.text.advantage import advantage_text
from rarecall.analysis.text.winner import plain
from rarecall.analysis.text.wording import distance_text, is_share, value_text

_TEST_HEADINGS = (Heading("test", title="Measured on the test split"), Heading("test rows"), words("test verdict"))


def verdict_section(report: Report) -> Section:
    """The first section of every report."""
    decided = decision(report)
    content: list[Child] = [element("p", decided, class_="headline")] if decided else []
    content += [element("p", headline(report), class_="" if decided else "headline"), _joint(report)]
    if report.evaluation and report.criteria:
        caption = "Criteria of the winner" if report.run else "Criteria"
        content.append(_findings(report.evaluation.assessment, caption, tested(report)))
    elif report.chosen and report.criteria:
        content += [_as_measured(report), note("No intervals: the stored predictions of this trial cannot be read.")]
    told = selection(report)
    content += [
        _advantage(report),
        note(told) if told else None,
        _closest_miss(report),
        _outcome(report),
        _parameters(report),
    ]
    return Section("Verdict", tuple(content))


def _advantage(report: Report) -> Child:
    """What the winner gains over the best baseline."""
    found = advantage(report.chosen, report.run) if report.run else None
    return element("p", advantage_text(found, len(report.criteria))) if found else None


def status_mark(status: Status) -> Markup:
    """A verdict as a sign and a word."""
    return element("span", element("span", SIGNS[status], aria_hidden="true"), f" {status}", class_=f"status {status}")


def _joint(report: Report) -> Child:
    found = joint(report)
    if found is None:
        return None
    sentence, probability = found
    return (
        element("p", f"{sentence} ", element("strong", probability), class_="joint")
        if probability
        else element("p", sentence)
    )


def _findings(assessment: Assessment, caption: str, test: Sequence[tuple[str, str, Status]]) -> Markup:
    level = f"{100 * assessment.level:g} % interval"
    headings = [
        words("criterion"),
        words("verdict"),
        Heading("measured"),
        *([Heading("expected", title="What fresh rows should give")] if assessment.correction else []),
        Heading("rows"),
        Heading(level),
        words("where the true value lies"),
        Heading("P(met)", title="Probability that the true value meets the criterion"),
        *(_TEST_HEADINGS if test else ()),
    ]
    rows = [_finding(one, assessment) for one in assessment.findings]
    for row, (measured, count, status) in zip(rows, test, strict=False):
        row += [measured, count, status_mark(status)]
    return table(caption, headings, rows, stacked=True)


def _finding(finding: Finding, assessment: Assessment) -> list[Cell | Child]:
    told = finding_text(finding)
    return [
        [element("code", told.criterion), element("small", told.decided_by) if told.decided_by else None],
        status_mark(finding.status),
        told.measured,
        *([told.expected] if assessment.correction else []),
        told.rows,
        told.interval,
        Cell(_strip(finding), class_="picture"),
        told.probability,
    ]


def _strip(finding: Finding) -> Markup:
    value, interval = finding.expected, finding.interval
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
