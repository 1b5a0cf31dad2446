"""The report: one HTML file that shows a run, or predictions alone, to people who would rather look than read.

`contents` is what a report is about, the `*_section` modules are its parts, `page` puts them together with style and
script. `drawing` and `strip` make pictures, `table` tables, `markup` the elements they all consist of.
"""

import os
from pathlib import Path

from analysis.errors import RunError
from analysis.report.contents import Report, of_predictions, of_run
from analysis.report.history import write_history
from analysis.report.page import page

__all__ = ["Report", "of_predictions", "of_run", "page", "write_history", "write_report"]


def write_report(path: str | os.PathLike[str], report: Report) -> None:
    """Write the page; the file is complete or not there at all.

    Raises:
        RunError: the file cannot be written.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(page(report), encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        reason = f"the report cannot be written: {error.strerror}"
        raise RunError(f"{target}: {reason} (name another file with -o)") from error
