"""The gate of an export: the criteria held against the chosen epoch, before anything is loaded or written."""

from rarecall.analysis.criteria.ranking import DEFAULT_OBJECTIVE
from rarecall.analysis.criteria.verdicts import Assessment, Finding
from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.evidence import Evidence
from rarecall.analysis.runs.ranking.expectations import expectations
from rarecall.analysis.runs.run import EpochRow, Run
from rarecall.analysis.text.winner import FOUND_NONE
from rarecall.analysis.text.wording import interval_text, value_text


def pass_gate(run: Run, row: EpochRow, force: bool) -> Assessment:
    """What is known about each criterion of the run at an epoch, the same as the leaderboard tells of the winner.

    They are about fresh rows. Undecided criteria pass: that the rows are too few is no fault of the model.

    Raises:
        RunError: a criterion is missed or no rare row was found, and `force` is not set; or the stored predictions
            cannot be read.
    """
    if row.metrics.get(DEFAULT_OBJECTIVE) == 0 and not force:
        trial = f"{run.folder}: trial {row.trial} (epoch {row.epoch})"
        raise RunError(f"{trial} found no {FOUND_NONE} To export it all the same: --force")
    evidence = Evidence(run)
    found = expectations(run, also=[row.trial])
    assessment = evidence.assessment(row, found.of(row.trial), found.method)
    if assessment is None:
        reason = "; ".join(evidence.problems) or f"{run.folder}: trial {row.trial!r} left no predictions"
        raise RunError(f"{reason}; without them nothing can be exported")
    missed = with_status(assessment, "missed")
    if missed and not force:
        raise RunError(_refusal(run, row, missed))
    return assessment


def with_status(assessment: Assessment, status: str) -> tuple[Finding, ...]:
    """The findings that are `met`, `missed` or `undecided`."""
    return tuple(finding for finding in assessment.findings if finding.status == status)


def measured_text(finding: Finding, level: float) -> str:
    """The value of a criterion with what stands behind it, such as `33.3 % (3 rows, 90 % interval 1–87 %)`."""
    key = finding.verdict.key
    if not key:
        return "not measured"
    rows = f"{finding.rows:,} row{'s' if finding.rows != 1 else ''}"
    interval = f"{100 * level:g} % interval {interval_text(key, finding.interval)}"
    measured, expected = value_text(key, finding.verdict.value), value_text(key, finding.expected)
    fresh = "" if expected == measured else f"expected {expected}, "
    return f"{measured} ({rows}, {fresh}{interval})"


def _refusal(run: Run, row: EpochRow, missed: tuple[Finding, ...]) -> str:
    count = f"{len(missed)} of its {len(run.criteria)} criteria"
    told = [f"  {finding.criterion.text}: got {measured_text(finding, Evidence(run).level)}" for finding in missed]
    return "\n".join(
        [
            f"{run.folder}: trial {row.trial} (epoch {row.epoch}) misses {count}, so it is not exported",
            *told,
            "Export it all the same with --force, or another one with --trial ID "
            f"(`rarecall leaderboard {run.folder}` lists them); or change the criteria in the experiment, then "
            "`rarecall tune EXPERIMENT --resume`.",
        ]
    )
