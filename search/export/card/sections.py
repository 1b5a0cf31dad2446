"""The parts of a model card that say what the model was trained on, held against, and what it is for."""

import math
from collections.abc import Sequence
from typing import Any

from rarecall.analysis.criteria.verdicts import Assessment, Finding
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.runs.baselines import baselines_of
from rarecall.analysis.runs.opened import Opened
from rarecall.analysis.runs.ranking.advantage import advantage
from rarecall.analysis.runs.ranking.standings import baseline_standings, standing_at
from rarecall.analysis.runs.run import Run
from rarecall.analysis.text.advantage import advantage_text
from rarecall.analysis.text.opened import others_text
from rarecall.analysis.text.wording import interval_text, probability_text, value_text
from rarecall.search.export.card.escaping import code_text, plain_text
from rarecall.search.export.exported_model import Exported
from rarecall.search.export.gate import with_status
from rarecall.search.export.opening import NO_TEST_SPLIT, STILL_SEARCHING

# With half of so many right, the interval of 90 % goes from 30 to 70 %.
FEW_ROWS = 20
NO_CRITERIA = "The experiment has none."
FORCED = "**Exported with `--force`, although it misses: {missed}.**"
EXPECTED = "Verdict, interval and P(met) are about the expected figure, that of fresh rows: {correction}."
UNDECIDED = "Undecided, as there are too few rows to tell: {undecided}."
OWN_RULE = "The task's own; no value was chosen on data."
CHOSEN_RULE = (
    "`decision_rule.json`, its values chosen on all validation rows: {values}. The validation figures here are "
    "cross-fitted: no row was decided by a rule that had seen it."
)
OPENED = "The test split was opened on {day}, once for this trial."
CLOSED = {
    NO_TEST_SPLIT: "There is no test split.",
    STILL_SEARCHING: "The test split stays closed, as the search went on.",
}
TEST_HEADER = ("test", "test rows", "test interval", "test verdict")
CALIBRATED = (
    "A class that training sampled up or weighted is told too often. `rarecall predict` gives probabilities that "
    "`calibration.json` puts right; the labels stay as they are. Expected calibration error, the mean distance between "
    "a probability and how often it comes true; on validation rows cross-fitted:"
)
RULE_KEYS = ("cuts", "offsets", "thresholds")
INTENDED = (
    "To sort {inputs} of the kind that it was trained on into the classes above. Its figures hold for data drawn as "
    "the splits below were; for other data, measure it first (`rarecall evaluate {folder} --data FILE`)."
)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""A table; what would end a cell is escaped.

    >>> print(markdown_table(("class", "rows"), [("a|b", "3")]))
    | class | rows |
    | --- | --- |
    | a\|b | 3 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def plain_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of which no cell is markup."""
    lines = [header, ["---"] * len(header), *([plain_text(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def data_section(run: Run) -> str:
    """Rows of each class in each split, and the hash of the data."""
    counts: dict[str, dict[str, int]] = run.header.get("class_counts") or {}
    minority = dict.fromkeys(run.labels.minority, " (minority)")
    rows = [
        (name + minority.get(name, ""), *(f"{one[name]:,}" for one in counts.values())) for name in run.labels.classes
    ]
    table = plain_table(("class", *(f"{split} rows" for split in counts)), rows)
    return f"{table}\n\nData hash (SHA-256): `{code_text(run.header.get('data_hash', 'unknown'))}`"


def opening_section(exported: Exported) -> str:
    """When the test split was opened, or why it is closed."""
    if exported.opened is None:
        return CLOSED.get(exported.closed, "")
    others = others_text(exported.opened)
    return " ".join([OPENED.format(day=exported.opened.day), *([others] if others else [])])


def criteria_section(assessment: Assessment, opened: Opened | None = None) -> str:
    """Each criterion with its verdicts on validation and test rows, and what of them is missed or undecided."""
    if not assessment.findings:
        return NO_CRITERIA
    header = (
        "verdict",
        "criterion",
        "measured",
        "expected",
        "rows",
        f"{100 * assessment.level:g} % interval",
        "P(met)",
        *(TEST_HEADER if opened else ()),
    )
    rows = [_finding_row(finding) for finding in assessment.findings]
    if opened:
        tested = [_test_row(finding) for finding in opened.assessment.findings]
        rows = [(*row, *more) for row, more in zip(rows, tested, strict=True)]
    table = markdown_table(header, rows)
    joint = f"Probability that the true values meet all criteria: {probability_text(assessment.joint)}."
    missed, undecided = _named(assessment, "missed"), _named(assessment, "undecided")
    correction = [EXPECTED.format(correction=assessment.correction)] if assessment.correction else []
    notes = [joint, *correction, *([UNDECIDED.format(undecided=undecided)] if undecided else [])]
    return "\n\n".join([*([FORCED.format(missed=missed)] if missed else []), table, *notes])


def baselines_section(exported: Exported, run: Run) -> str:
    """What simple models reach on the validation rows, and what this one gains; empty without baselines."""
    ranked = baseline_standings(run)
    if not ranked:
        return ""
    trial, titles = standing_at(exported.trial, exported.epoch.epoch, run), baselines_of(run)
    keys = list(dict.fromkeys(("minority_recall", *(f"recall[{name}]" for name in run.labels.classes))))
    rows = [
        (told, *(value_text(key, one.best.metrics.get(key, math.nan)) for key in keys))
        for told, one in [("this model", trial), *((titles[one.record.trial].title, one) for one in ranked)]
        if one.best is not None
    ]
    found = advantage(trial, run)
    sentence = f"\n\n{plain_text(advantage_text(found, len(run.criteria)))}" if found else ""
    return f"\n## Beside baselines\n\n{plain_table(('on validation rows', *keys), rows)}{sentence}\n"


def rule_section(rule: dict[str, Any], exported: Exported) -> str:
    """What decides between labels: the content of `decision_rule.json`."""
    if not exported.epoch.rule:
        return OWN_RULE
    told = [f"`{key}` {', '.join(f'{value:.3g}' for value in rule[key])}" for key in RULE_KEYS if key in rule]
    return CHOSEN_RULE.format(values="; ".join(told))


def calibration_section(errors: dict[str, Any] | None, labels: LabelSpace) -> str:
    """How far the probabilities are off, before and after calibration; empty for a task without any."""
    if errors is None:
        return ""
    splits = [split for split in ("validation", "test") if errors[split]]
    header = ("class", *(f"{split}, {when}" for split in splits for when in ("as trained", "calibrated")))
    rows = [
        (name, *(f"{errors[split][name][when]:.3f}" for split in splits for when in ("before", "after")))
        for name in labels.classes
    ]
    return f"## How sure it is\n\n{CALIBRATED}\n\n{plain_table(header, rows)}\n\n"


def limits_section(run: Run, folder: str, images: bool, max_length: int) -> str:
    """What the model is for, and what its figures do not carry."""
    counts: dict[str, dict[str, int]] = run.header.get("class_counts") or {}
    measured = counts.get("test") or counts.get("validation", {})
    few = [f"{plain_text(name)} ({rows})" for name, rows in measured.items() if rows < FEW_ROWS]
    limits = [] if images else [f"- Of a text, the first {max_length} tokens count."]
    limits += [f"- Classes with fewer than {FEW_ROWS} rows to measure them by: {', '.join(few)}."] if few else []
    intended = INTENDED.format(inputs="images" if images else "texts", folder=folder)
    return "\n\n".join([intended, *(["\n".join(limits)] if limits else [])])


def versions_section(run: Run) -> str:
    """The versions that trained it, and the plugins with the beginnings of their hashes."""
    told = [f"{plain_text(name)} {plain_text(version)}" for name, version in (run.header.get("versions") or {}).items()]
    for plugin in run.header.get("plugins") or ():
        told.append(f"plugin {plain_text(plugin['name'])} (SHA-256 {plain_text(plugin['sha256'][:12])}…)")
    return ", ".join(told) or "unknown"


def _finding_row(finding: Finding) -> tuple[str, ...]:
    key = finding.verdict.key
    return (
        finding.status,
        f"`{code_text(finding.criterion.text)}`",
        value_text(key, finding.verdict.value) if key else "-",
        value_text(key, finding.expected) if key else "-",
        f"{finding.rows:,}",
        interval_text(key, finding.interval) if key else "-",
        probability_text(finding.probability),
    )


def _test_row(finding: Finding) -> tuple[str, ...]:
    key = finding.verdict.key
    return (
        value_text(key, finding.verdict.value) if key else "-",
        f"{finding.rows:,}",
        interval_text(key, finding.interval) if key else "-",
        finding.status,
    )


def _named(assessment: Assessment, status: str) -> str:
    return ", ".join(f"`{code_text(finding.criterion.text)}`" for finding in with_status(assessment, status))
