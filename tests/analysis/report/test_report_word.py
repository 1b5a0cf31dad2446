"""The Word document: its figures against scikit-learn, and that Word and a screen reader find their way in it."""

import sys
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import docx
import numpy as np
import pytest
from docx.document import Document
from docx.oxml.ns import qn
from docx.shared import Pt
from docx.table import Table
from PIL import Image
from sklearn.metrics import confusion_matrix as counts_of
from sklearn.metrics import mean_absolute_error, precision_recall_fscore_support, root_mean_squared_error

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.errors import RunError
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.report import Report, of_predictions, of_run, write_report
from rarecall.analysis.report.word import document
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.uncertainty.intervals import exact


def opened(report: Report) -> Document:
    return docx.Document(BytesIO(document(report)))


def cells(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in table.rows]


def table_with(found: Document, *headings: str) -> list[list[str]]:
    """The rows of the table that starts with these headings, without its head."""
    (told,) = (rows for table in found.tables if (rows := cells(table))[0][: len(headings)] == list(headings))
    return told[1:]


def headings(found: Document) -> list[tuple[int, str]]:
    return [
        (int(style.removeprefix("Heading ")), one.text)
        for one in found.paragraphs
        if (style := one.style.name).startswith("Heading ")
    ]


def share(value: float) -> str:
    return f"{100 * value:.1f} %"


@pytest.fixture(scope="module")
def mail() -> Report:
    generator = np.random.default_rng(0)
    true = np.repeat(np.arange(3), (80, 15, 5))
    probabilities = generator.dirichlet(np.ones(3), 100) * 0.6 + 0.4 * np.eye(3)[true]
    labels = LabelSpace(("ham", "spam", "phish"), ("spam", "phish"))
    found = Predictions(np.arange(100), true, probabilities.argmax(axis=1), probabilities)
    wanted = ["recall[ham] >= 0.5", "recall[phish] >= 0.99", "accuracy >= 0.1"]
    return of_predictions("mail.csv", found, labels, [parse(text, labels.minority) for text in wanted])


@pytest.fixture
def tiered(write_ledger, rows, tiered_predictions, tiers) -> Report:
    """A run of twelve trials of one epoch, on scores."""
    told = [rows.run(bands={"best": {"criteria": ["mae <= 3"], "next_steps": ["Hand it over."]}})]
    for number in range(12):
        predictions = tiered_predictions(2.0 - 0.1 * number, number)
        counts = confusion_matrix(predictions, tiers)
        told += [
            rows.trial(f"t{number:02d}", **{"training.loss.gamma": number / 4, "model.lora.rank": 8}),
            rows.epoch(f"t{number:02d}", 1, evaluate(predictions, tiers), confusion=counts, train_metrics={"mae": 0.5}),
            rows.end(f"t{number:02d}"),
        ]
    folder = write_ledger(*told)
    for number in range(12):
        write_predictions(
            folder / f"predictions/t{number:02d}.parquet", tiered_predictions(2 - 0.1 * number, number), tiers
        )
    return of_run(read_ledger(folder))


def test_figures_of_classes_are_those_of_scikit_learn(mail: Report) -> None:
    found = mail.predictions
    expected = precision_recall_fscore_support(found.true_class, found.predicted_class)
    told = table_with(opened(mail), "class", "rows")
    for row, precision, recall, f1, support in zip(told, *expected, strict=True):
        assert [row[1], row[2], row[4], row[6]] == [str(support), share(recall), share(precision), share(f1)]
    assert [row[0] for row in told] == ["ham", "spam (minority)", "phish (minority)"]
    hits = int(((found.true_class == 2) & (found.predicted_class == 2)).sum())
    interval = exact(hits, 5)
    assert told[2][3] == f"{100 * interval.low:.0f}–{100 * interval.high:.0f} %"


def test_confusion_matrix_is_that_of_scikit_learn(mail: Report) -> None:
    found = mail.predictions
    expected = counts_of(found.true_class, found.predicted_class)
    told = table_with(opened(mail), "true \\ predicted")
    assert [[int(text) for text in row[1:]] for row in told] == expected.tolist()


def test_errors_per_dimension_are_those_of_scikit_learn(tiered: Report) -> None:
    found = tiered.predictions
    pair = (found.true_scores, found.predicted_scores)
    mae = mean_absolute_error(*pair, multioutput="raw_values")
    rmse = root_mean_squared_error(*pair, multioutput="raw_values")
    told = table_with(opened(tiered), "dimension", "MAE")
    assert [row[1] for row in told] == [f"{value:.2f}" for value in mae]
    assert [row[3] for row in told] == [f"{value:.2f}" for value in rmse]


def test_verdict_stands_at_the_top_with_what_is_known(mail: Report) -> None:
    found = opened(mail)
    assert found.paragraphs[0].text == "mail.csv"
    assert headings(found)[0] == (1, "Verdict")
    by_criterion = {row[0]: row[1:] for row in table_with(found, "criterion", "verdict")}
    hits = int(((mail.predictions.true_class == 2) & (mail.predictions.predicted_class == 2)).sum())
    assert by_criterion["accuracy >= 0.1"][0] == "✓ met"
    phish = by_criterion["recall[phish] >= 0.99"]
    assert phish[1:3] == [share(hits / 5), f"{hits} of 5"]
    statuses = [one.status for one in mail.evaluation.assessment.findings]
    assert [row[0].split()[1] for row in by_criterion.values()] == statuses


def test_run_shows_its_ten_best_trials_and_their_settings(tiered: Report) -> None:
    found = opened(tiered)
    board = table_with(found, "rank", "trial")
    assert [row[1] for row in board] == [one.record.trial for one in tiered.ranked[:10]]
    assert board[0][5] == share(tiered.ranked[0].best.metrics["minority_recall"])
    settings = table_with(found, "trial", "gamma")
    assert settings[0][1] == f"{tiered.ranked[0].record.params['training.loss.gamma']:.3g}"
    assert table_with(found, "setting", "value")[1] == ["model.lora.rank", "8"]
    assert "Outcome: best. Next steps:" in [one.text for one in found.paragraphs]
    assert [one.text for one in found.paragraphs if one.style.name == "List Bullet"] == ["Hand it over."]
    # Training loss of the fixture, no validation loss, and the mean error of training rows.
    assert [row[:3] + row[4:5] for row in table_with(found, "epoch", "training loss")] == [
        ["1 (best)", "0.5", "–", "0.50"]
    ]


def test_headings_are_real_and_none_is_skipped(tiered: Report) -> None:
    told = headings(opened(tiered))
    assert [title for level, title in told if level == 1] == [
        "Verdict",
        "Leaderboard",
        "Settings and minority recall",
        "Recall per class",
        "Confusion matrix",
        "Error per dimension",
        "Training",
        "How this was made",
    ]
    levels = [level for level, _ in told]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_have_marked_heads_and_fit_on_the_page(tiered: Report) -> None:
    found = opened(tiered)
    section = found.sections[0]
    room = section.page_width - section.left_margin - section.right_margin
    for table in found.tables:
        marked = [row._tr.trPr is not None and row._tr.trPr.find(qn("w:tblHeader")) is not None for row in table.rows]
        assert marked == [True] + [False] * (len(table.rows) - 1)
        assert sum(cell.width for cell in table.rows[0].cells) <= room + Pt(1)
        assert table._tbl.tblPr.find(qn("w:tblCaption")).get(qn("w:val"))
        # In the order that the schema of Word asks for.
        order = [child.tag.partition("}")[2] for child in table._tbl.tblPr]
        known = ["tblStyle", "tblW", "jc", "tblLayout", "tblLook", "tblCaption"]
        assert [known.index(name) for name in order] == sorted(known.index(name) for name in order)


def test_pictures_have_alt_text_and_numbered_captions(tiered: Report) -> None:
    found = opened(tiered)
    assert len(found.inline_shapes) == 7
    for shape in found.inline_shapes:
        assert len(shape._inline.docPr.get("descr")) > 40
        part = found.part.related_parts[shape._inline.graphic.graphicData.pic.blipFill.blip.embed]
        with Image.open(BytesIO(part.blob)) as image:
            assert np.asarray(image.convert("L")).std() > 10
    captions = [
        "".join(node.text for node in one._p.iter(qn("w:t"))) for one in found.paragraphs if one.style.name == "Caption"
    ]
    pictures = [text for text in captions if text.startswith("Figure ")]
    assert [text.split(".")[0] for text in pictures] == [f"Figure {number}" for number in range(1, 8)]


def test_properties_name_the_report_and_its_language(mail: Report) -> None:
    about = opened(mail).core_properties
    assert (about.title, about.author, about.language, about.subject) == (
        "mail.csv",
        "rarecall",
        "en",
        "rarecall report",
    )


def test_task_without_scores_has_nothing_about_them(mail: Report) -> None:
    titles = [title for _, title in headings(opened(mail))]
    assert "Error per dimension" not in titles
    assert "Calibration" in titles


def test_many_classes_list_their_largest_confusions() -> None:
    true = np.repeat(np.arange(9), 4)
    predicted = true.copy()
    predicted[:3] = 5
    labels = LabelSpace(tuple(f"c{number}" for number in range(9)), ("c8",))
    found = opened(of_predictions("many", Predictions(np.arange(36), true, predicted), labels, []))
    assert table_with(found, "true", "predicted as") == [["c0", "c5", "3"]]


def test_several_labels_per_row_have_a_table() -> None:
    true = np.array([[1, 0], [1, 1], [0, 0], [1, 0]], dtype=bool)
    predicted = np.array([[1, 0], [0, 0], [1, 0], [1, 1]], dtype=bool)
    labels = LabelSpace(("insult", "threat"), ("threat",), multilabel=True)
    report = of_predictions(
        "labels.csv", Predictions(np.arange(4), true_labels=true, predicted_labels=predicted), labels, []
    )
    assert table_with(opened(report), "label") == [["insult", "2", "1", "1", "0"], ["threat", "0", "1", "1", "2"]]


def test_what_xml_cannot_hold_is_left_out(mail: Report) -> None:
    found = opened(replace(mail, title="a\x00b <i>&\x0b", labels=LabelSpace(("ham", "spam", "ph\x01ish"), ("spam",))))
    assert found.paragraphs[0].text == "ab <i>&"
    assert "phish" in {cell.text for table in found.tables for cell in table.columns[0].cells}


def test_run_without_any_epoch_has_a_document(write_ledger, rows) -> None:
    folder = write_ledger(rows.run(), rows.trial("t00"), rows.end("t00", "failed"))
    told = [one.text for one in opened(of_run(read_ledger(folder))).paragraphs]
    assert "There is no winner: no trial has finished an epoch." in told


def test_document_from_the_ledger_alone_says_so(twelve_trials: Path) -> None:
    told = opened(of_run(read_ledger(twelve_trials)))
    assert "No intervals: the stored predictions of this trial cannot be read." in [one.text for one in told.paragraphs]
    assert "What could not be read: 1 item" in [title for _, title in headings(told)]


def test_without_its_package_the_remedy_is_named(mail: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("rarecall.analysis.report.word")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(RunError, match=r"--format docx: needs the package python-docx.*\(pip install python-docx"):
        write_report(tmp_path / "report.docx", mail, "docx")
    write_report(tmp_path / "report.html", mail)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
