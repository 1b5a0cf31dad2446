"""The verdict, and the settings of the winner."""

from rarecall.analysis.criteria.bands import band_of
from rarecall.analysis.criteria.verdicts import Assessment, Finding
from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.sentences import SIGNS, decision, finding_text, headline, joint, selection, tested
from rarecall.analysis.report.word.layout import Layout
from rarecall.analysis.text.winner import NO_INTERVALS, plain
from rarecall.analysis.text.wording import distance_text, value_text


def add_verdict(page: Layout, report: Report) -> None:
    """What the criteria say, and how sure that is."""
    page.heading("Verdict")
    if decided := decision(report):
        page.verdict(decided)
    page.verdict(headline(report))
    if told := joint(report):
        page.paragraph(" ".join(filter(None, told)) + ("." if told[1] else ""))
    _criteria(page, report)
    if choice := selection(report):
        page.note(choice)
    if missed := report.chosen.closest_miss if report.chosen else None:
        page.paragraph(f"Closest miss: {missed.criterion.text}, {distance_text(missed)}.")
    _outcome(page, report)


def add_settings(page: Layout, report: Report) -> None:
    """The searched settings of the winner."""
    params = report.chosen.record.params if report.chosen else {}
    if params:
        page.heading("Its settings", 2)
        rows = [[path, plain(value)] for path, value in params.items()]
        page.table("Settings of the winner", ["setting", "value"], rows)


def _criteria(page: Layout, report: Report) -> None:
    if report.evaluation and report.criteria:
        level = f"{100 * report.level:g} % interval"
        assessment = report.evaluation.assessment
        expected = ["expected"] if assessment.correction else []
        headings = ["criterion", "verdict", "measured", *expected, "rows", level, "P(met)"]
        rows = [_finding(one, assessment) for one in assessment.findings]
        if test := tested(report):
            headings += ["test", "test verdict"]
            rows = [[*row, value, f"{SIGNS[one]} {one}"] for row, (value, _, one) in zip(rows, test, strict=True)]
        page.table("Criteria and what is known about them", headings, rows, words=2)
        page.note("P(met): probability that the true value meets the criterion.")
    elif report.chosen and report.chosen.verdicts:
        rows = [
            [
                one.criterion.text,
                f"{SIGNS[one.status]} {one.status}",
                value_text(one.key, one.value) if one.key else "–",
            ]
            for one in report.chosen.verdicts
        ]
        page.table("Criteria as measured", ["criterion", "verdict", "measured"], rows, words=2)
        page.note(NO_INTERVALS)


def _finding(finding: Finding, assessment: Assessment) -> list[str]:
    told = finding_text(finding)
    criterion = f"{told.criterion} ({told.decided_by})" if told.decided_by else told.criterion
    verdict = f"{SIGNS[finding.status]} {finding.status}"
    expected = [told.expected] if assessment.correction else []
    return [criterion, verdict, told.measured, *expected, told.rows, told.interval, told.probability]


def _outcome(page: Layout, report: Report) -> None:
    bands = report.run.bands if report.run and report.metrics else ()
    if not bands:
        return
    band = band_of(report.metrics, bands)
    if band is None:
        page.paragraph(f"Outcome: none of {', '.join(one.name for one in bands)}.")
        return
    page.paragraph(f"Outcome: {band.name}{'. Next steps:' if band.next_steps else '.'}")
    page.bullets(band.next_steps)
