"""The report: shows a run, or predictions alone, to people who would rather look than read.

`contents` is what a report is about, `sentences` what it says in words; `calibration`, `parameters`, `scores` and
`training` are figures that several formats show. Each format has a package of its own, made from the same contents:
`html` the page, `figures` pictures, `word` the document with these pictures. `files` writes them; `history` is the
training as JSON.
"""

from rarecall.analysis.report.contents import Report, of_predictions, of_run
from rarecall.analysis.report.files import Form, form_of, write_report
from rarecall.analysis.report.history import write_history
from rarecall.analysis.report.html.page import page

__all__ = ["Form", "Report", "form_of", "of_predictions", "of_run", "page", "write_history", "write_report"]
