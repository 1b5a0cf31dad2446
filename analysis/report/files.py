"""The files of a report: which format is asked for, and that each file is complete or not there at all."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from rarecall.analysis.errors import Fault, InputError, RunError
from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.html.page import page

Form = Literal["html", "docx", "png"]
FORMS: tuple[Form, ...] = get_args(Form)
_SUFFIXES: dict[str, Form] = {".html": "html", ".htm": "html", ".docx": "docx"}


def form_of(output: Path, asked: Form | None = None) -> Form:
    """The format that is asked for, or else the one that the name of the output tells: a folder means pictures.

    Raises:
        InputError: a name that says nothing of the kind, or something else than what is asked for.

    >>> form_of(Path("report.docx")), form_of(Path("report.txt"), "html"), form_of(Path("pictures"))
    ('docx', 'html', 'png')
    """
    told = _told(output)
    if asked == "png" and not output.is_dir() and output.suffix.lower() in {".png", *_SUFFIXES}:
        raise _refused(output, "must name a folder, as every figure has a file of its own", "-o figures")
    if asked and output.is_dir() and asked != "png":
        raise _refused(output, f"must name a file for --format {asked}, got a folder", f"-o report.{asked}")
    if asked and output.suffix.lower() in _SUFFIXES and asked != told:
        raise _refused(output, f"must not contradict --format {asked}", f"-o report.{asked}, or leave --format out")
    if form := asked or told:
        return form
    raise _refused(output, "must end in .html or .docx or be a folder for figures", "or say --format html|docx|png")


def write_report(path: str | os.PathLike[str], report: Report, form: Form = "html") -> list[str]:
    """Write the page, the document, or the figures into a folder; gives which figures were left out, and why.

    Raises:
        RunError: a file cannot be written, or what writes it is not installed.
    """
    target = Path(path)
    if form == "png":
        return _write_figures(target, report)
    content = _document(report) if form == "docx" else page(report).encode()
    _write(target, lambda partial: partial.write_bytes(content))
    return []


def _told(output: Path) -> Form | None:
    if output.is_dir() or not output.suffix:
        return "png"
    return _SUFFIXES.get(output.suffix.lower())


def _refused(output: Path, rule: str, remedy: str) -> InputError:
    return InputError("rarecall report", [Fault("-o", rule, repr(str(output)), remedy)])


def _document(report: Report) -> bytes:
    try:
        from rarecall.analysis.report.word import document  # noqa: PLC0415  # the other formats do without its package
    except ModuleNotFoundError as error:
        remedy = "pip install python-docx, or write --format html"
        raise RunError(f"--format docx: needs the package python-docx, found no {error.name} ({remedy})") from error
    return document(report)


def _write_figures(folder: Path, report: Report) -> list[str]:
    from rarecall.analysis.report.figures import LeftOut, figures  # noqa: PLC0415  # matplotlib takes a second

    left_out = []
    for name, one in figures(report).items():
        if isinstance(one, LeftOut):
            left_out.append(f"{name}.png: {one.reason}")
        else:
            _write(folder / f"{name}.png", one.save)
    return left_out


def _write(target: Path, save: Callable[[Path], object]) -> None:
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        save(partial)
        partial.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        reason = f"the report cannot be written: {error.strerror}"
        raise RunError(f"{target}: {reason} (name another file with -o)") from error
