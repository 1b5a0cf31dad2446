"""What the document consists of: real headings, tables with marked header rows, pictures with captions and alt text."""

import datetime
import re
from collections.abc import Mapping, Sequence
from io import BytesIO

import docx
from docx.document import Document
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Cm, Inches, Pt, RGBColor
from docx.styles.style import ParagraphStyle
from docx.table import Table, _Cell, _Row
from docx.text.paragraph import Paragraph

from rarecall.analysis.report.figures import LeftOut, Picture
from rarecall.analysis.report.figures.style import INK, RULE, SOFT, WIDE
from rarecall.analysis.text.table import cell_len

LANGUAGE = "en"
_HIGHEST = 8.2  # inches of a picture, so that its caption fits on the page
# Letters that a column is counted with at least and at most, and what lies between two, when columns share the width.
_NARROW, _BROAD, _GAP = 7, 36, 2
_TABLE, _VERDICT, _NOTE = "Table Text", "Verdict", "Note"
_SHADE = "F4F4F0"
# What XML cannot hold, such as a control character in the name of a class.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Layout:
    """A document that grows from top to bottom. figures: by name; those that are left out are not shown."""

    def __init__(self, title: str, subtitle: str, figures: Mapping[str, Picture | LeftOut]) -> None:
        self.document: Document = docx.Document()
        self._figures = figures
        self._counts = {"Table": 0, "Figure": 0}
        _set_up(self.document, _clean(title))
        self._paragraph(title, "Title")
        self._paragraph(subtitle, "Subtitle")

    def heading(self, text: str, level: int = 1) -> None:
        """A heading, which the navigation pane lists."""
        self.document.add_heading(_clean(text), level)

    def paragraph(self, text: str) -> None:
        """Running text."""
        self._paragraph(text, None)

    def verdict(self, text: str) -> None:
        """The sentence that counts."""
        self._paragraph(text, _VERDICT)

    def note(self, text: str) -> None:
        """How far something is to be trusted."""
        self._paragraph(text, _NOTE)

    def bullets(self, texts: Sequence[str]) -> None:
        """A list."""
        for text in texts:
            self._paragraph(text, "List Bullet")

    def table(self, caption: str, headings: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> None:
        """A table under its caption. words: how many columns from the left hold text; the others are figures."""
        if not rows:
            return
        self._caption("Table", caption).paragraph_format.keep_with_next = True
        table = self.document.add_table(0, len(headings), "Table Grid")
        _describe(table, _clean(caption))
        for number, texts in enumerate((headings, *rows)):
            row = table.add_row()
            _mark(row, header=number == 0)
            for column, (cell, text) in enumerate(zip(row.cells, texts, strict=True)):
                _fill(cell, _clean(text), header=number == 0, number=column >= words)
        _share_width(table, [headings, *rows])

    def figure(self, name: str, heading: str = "") -> None:
        """A picture with its caption, under a heading if need be; nothing where it is left out."""
        picture = self._figures[name]
        if isinstance(picture, LeftOut):
            return
        if heading:
            self.heading(heading)
        content = BytesIO()
        picture.save(content)
        content.seek(0)
        wide, high = picture.figure.get_size_inches()
        scale = min(1.0, WIDE / wide, _HIGHEST / high)
        shape = self.document.add_picture(content, width=Inches(scale * wide))
        shape._inline.docPr.set("title", _clean(picture.title))
        shape._inline.docPr.set("descr", _clean(f"{picture.title}. {picture.description}"))
        self.document.paragraphs[-1].paragraph_format.keep_with_next = True
        self._caption("Figure", picture.caption)

    def _paragraph(self, text: str, style: str | None) -> Paragraph:
        return self.document.add_paragraph(_clean(text), style)

    def _caption(self, kind: str, text: str) -> Paragraph:
        """A caption with a number that Word counts, so that a list of figures can be made."""
        self._counts[kind] += 1
        paragraph = self._paragraph(f"{kind} ", "Caption")
        _field(paragraph, f"SEQ {kind} \\* ARABIC", str(self._counts[kind]))
        paragraph.add_run(f". {_clean(text)}")
        return paragraph


def _set_up(document: Document, title: str) -> None:
    """Properties, page, styles and the number at the foot of each page."""
    about, now = document.core_properties, datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    about.title, about.subject, about.author, about.language = title, "rarecall report", "rarecall", LANGUAGE
    about.comments, about.keywords, about.created, about.modified = "", "class imbalance", now, now
    section = document.sections[0]
    section.page_width, section.page_height = Cm(21.0), Cm(29.7)
    section.left_margin = section.right_margin = Inches(8.27 / 2 - WIDE / 2)
    section.top_margin = section.bottom_margin = Cm(2.2)
    _set_styles(document)
    foot = section.footer.paragraphs[0]
    foot.text = f"{title} · rarecall report · page "
    _field(foot, "PAGE", "1")


def _set_styles(document: Document) -> None:
    for name, size, colour in (("Normal", 10.5, INK), ("Title", 24, INK), ("Subtitle", 11, SOFT), ("Caption", 9, SOFT)):
        _set_style(document, name, size, colour)
    for level, size in ((1, 15), (2, 12)):
        _set_style(document, f"Heading {level}", size, INK)
    for name, size, colour in ((_TABLE, 9, INK), (_VERDICT, 13, INK), (_NOTE, 9.5, SOFT)):
        document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH).base_style = document.styles["Normal"]
        _set_style(document, name, size, colour)
    _paragraphs(document, _TABLE).paragraph_format.space_after = Pt(0)
    _paragraphs(document, _VERDICT).font.bold = True
    _paragraphs(document, "Caption").font.bold = False
    for name in ("Caption", _NOTE):
        _paragraphs(document, name).paragraph_format.space_before = Pt(8)
    _set_rules(document)
    for language in document.styles.element.iter(qn("w:lang")):
        language.set(qn("w:val"), "en-GB")


def _set_style(document: Document, name: str, size: float, colour: str) -> None:
    font = _paragraphs(document, name).font
    font.size, font.color.rgb, font.italic = Pt(size), RGBColor.from_string(colour.removeprefix("#").upper()), False


def _paragraphs(document: Document, name: str) -> ParagraphStyle:
    style = document.styles[name]
    if not isinstance(style, ParagraphStyle):
        raise TypeError(f"{name} must be a paragraph style, got {type(style).__name__}")
    return style


def _set_rules(document: Document) -> None:
    """Light lines between the rows of tables, none between columns."""
    (borders,) = document.styles["Table Grid"].element.iter(qn("w:tblBorders"))
    for border in borders:
        border.set(qn("w:color"), RULE.removeprefix("#"))
        if border.tag in {qn("w:left"), qn("w:right"), qn("w:insideV")}:
            border.set(qn("w:val"), "nil")


def _describe(table: Table, caption: str) -> None:
    """Alt text, the first row as header, and the whole width of the page, be it A4 or Letter."""
    properties = table._tbl.tblPr
    _child(properties, "w:tblCaption", val=caption)
    look = properties.find(qn("w:tblLook"))
    if look is not None:
        properties.remove(look)
        properties.insert(len(properties) - 1, look)
        for name, value in (
            ("val", "0620"),
            ("firstRow", "1"),
            ("firstColumn", "0"),
            ("noHBand", "1"),
            ("noVBand", "1"),
        ):
            look.set(qn(f"w:{name}"), value)
    width = properties.find(qn("w:tblW"))
    if width is not None:
        width.set(qn("w:type"), "pct")
        width.set(qn("w:w"), "5000")


def _mark(row: _Row, *, header: bool) -> None:
    """A row stays on one page; a header row is repeated on each, and told as such by screen readers."""
    properties = row._tr.get_or_add_trPr()
    _child(properties, "w:cantSplit")
    if header:
        _child(properties, "w:tblHeader")


def _fill(cell: _Cell, text: str, *, header: bool, number: bool) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.style = _TABLE
    paragraph.add_run(text).bold = header
    if number:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    if header:
        _child(cell._tc.get_or_add_tcPr(), "w:shd", val="clear", color="auto", fill=_SHADE)


def _share_width(table: Table, rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as their longest cell asks for, within reason."""
    longest = [
        min(_BROAD, max(_NARROW, *(cell_len(text) + _GAP for text in column))) for column in zip(*rows, strict=True)
    ]
    for column, letters in zip(table.columns, longest, strict=True):
        column.width = Inches(WIDE * letters / sum(longest))
        for cell in column.cells:
            cell.width = column.width


def _field(paragraph: Paragraph, code: str, text: str) -> None:
    """A field that Word computes; `text` is what is shown until then."""
    field = OxmlElement("w:fldSimple")
    field.set(qn("w:instr"), code)
    paragraph._p.append(field)
    field.append(paragraph.add_run(text)._r)


def _child(parent: object, name: str, **attributes: str) -> None:
    child = OxmlElement(name)
    for key, value in attributes.items():
        child.set(qn(f"w:{key}"), value)
    parent.append(child)  # type: ignore[attr-defined]  # an lxml element, which has no types


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("", text)
