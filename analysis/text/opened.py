"""What the test split said of a trial, as text: the decision, its verdicts, and who opened it before."""

from rarecall.analysis.runs.opened import Opened, day_of
from rarecall.analysis.runs.run import Run
from rarecall.analysis.text.verdicts import verdict_lines, wrapped


def opened_lines(opened: Opened, width: int) -> list[str]:
    """The verdicts on the test rows within `width` columns."""
    return [f"Test split, opened {opened.day}:", *verdict_lines(opened.assessment, width), *_before(opened, width)]


def others_text(opened: Opened) -> str:
    """Why the test rows flatter a trial that is taken among several by them; "" where they were opened for it alone."""
    if not opened.others:
        return ""
    names = ", ".join(opened.others)
    return f"The test split had been opened for {names} before: whoever chooses by it needs fresh rows to measure on."


def elsewhere_text(run: Run) -> str:
    """That the split was opened for other trials than the one that is told about; "" where it is closed."""
    if not run.openings:
        return ""
    last = run.openings[-1]
    return f"The test split was opened for trial {last.trial} on {day_of(last)}, and not for this one."


def _before(opened: Opened, width: int) -> list[str]:
    text = others_text(opened)
    return wrapped(text, width) if text else []
