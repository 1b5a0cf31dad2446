"""The figures of a report: which there are, that they show something, and that names of any kind fit into them."""

import re
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from sklearn.metrics import mean_absolute_error, recall_score

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.errors import InputError, RunError
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.report import Report, form_of, of_predictions, of_run, write_report
from rarecall.analysis.report.figures import LeftOut, Picture, figures
from rarecall.analysis.report.figures.style import ACCENT, BAD, GOOD, INK, RULE, SOFT, THIN
from rarecall.analysis.runs.ledger import read_ledger

WITHOUT_A_RUN = {"loss_curves", "recall_by_epoch", "mae_by_epoch", "parameters"}
WITHOUT_SCORES = {"mae_per_dimension", "predicted_against_true", "mae_by_epoch"}


def drawn(report: Report) -> dict[str, Picture]:
    return {name: one for name, one in figures(report).items() if isinstance(one, Picture)}


def classes(count: int, names: list[str] | None = None) -> Report:
    """Made-up predictions with probabilities; the first class is the common one."""
    generator = np.random.default_rng(0)
    true = generator.choice(count, 400, p=(weights := 0.7 ** np.arange(count)) / weights.sum())
    probabilities = 0.5 * generator.dirichlet(np.ones(count), 400) + 0.5 * np.eye(count)[true]
    labels = LabelSpace(tuple(names or [f"class_{number:02d}" for number in range(count)]), ())
    labels = LabelSpace(labels.classes, labels.classes[1:])
    predictions = Predictions(np.arange(400), true, probabilities.argmax(axis=1), probabilities)
    return of_predictions("theirs.csv", predictions, labels, [parse("recall[*] >= 0.4", labels.minority)])


@pytest.fixture
def tiered(write_ledger, rows, tiered_predictions, tiers) -> Report:
    """A run of ten trials and two epochs on scores, with the predictions of each and with training metrics."""
    told = [rows.run()]
    for number in range(10):
        trial = f"t{number}"
        told.append(
            rows.trial(trial, **{"training.oversampling.ratio": 0.03 * number, "model.lora.rank": 8 + number % 2})
        )
        for epoch in (1, 2):
            predictions = tiered_predictions(3.0 - 0.2 * number - 0.2 * epoch, number)
            more = {"confusion": confusion_matrix(predictions, tiers), "train_metrics": {"mae": 0.9 / epoch}}
            told.append(rows.epoch(trial, epoch, evaluate(predictions, tiers), validation_loss=0.8 / epoch, **more))
        told.append(rows.end(trial))
    folder = write_ledger(*told)
    for number in range(10):
        write_predictions(
            folder / f"predictions/t{number}.parquet", tiered_predictions(2.6 - 0.2 * number, number), tiers
        )
    return of_run(read_ledger(folder))


def test_run_on_scores_has_every_figure_but_calibration(tiered: Report, tmp_path: Path) -> None:
    left_out = write_report(tmp_path / "pictures", tiered, "png")
    assert left_out == ["calibration.png: the predictions hold no probabilities"]
    written = {path.stem for path in (tmp_path / "pictures").iterdir()}
    assert written == set(figures(tiered)) - {"calibration"}


def test_predictions_alone_have_no_epochs_and_no_settings(tmp_path: Path) -> None:
    left_out = write_report(tmp_path, classes(2), "png")
    assert {line.partition(".png: ")[0] for line in left_out} == WITHOUT_A_RUN | WITHOUT_SCORES
    assert "loss_curves.png: predictions alone have no epochs" in left_out
    assert "mae_per_dimension.png: the task has no scores" in left_out


@pytest.mark.parametrize("count", [2, 4, 28])
def test_pictures_are_sharp_and_not_blank(count: int, tmp_path: Path) -> None:
    report = classes(count)
    write_report(tmp_path, report, "png")
    for name, picture in drawn(report).items():
        with Image.open(tmp_path / f"{name}.png") as image:
            assert image.size == pytest.approx(200 * picture.figure.get_size_inches(), abs=1)
            assert image.info["dpi"] == pytest.approx((200, 200), abs=0.1)
            shades = np.asarray(image.convert("L"))
        # Ink on the paper, and paper around it.
        assert 0.005 < (shades < 200).mean() < 0.6, name
        assert shades[[0, -1]].min() == 255, name


@pytest.mark.parametrize("count", [2, 28])
@pytest.mark.parametrize("name", ["recall_per_class", "confusion_matrix", "overall_metrics"])
def test_labels_beside_the_lines_do_not_overlap(count: int, name: str) -> None:
    picture = drawn(classes(count))[name]
    FigureCanvasAgg(picture.figure).draw()
    boxes = [label.get_window_extent() for label in picture.figure.axes[0].get_yticklabels()]
    boxes.sort(key=lambda box: box.y0)
    assert all(one.y1 <= other.y0 + 1 for one, other in pairwise(boxes))
    assert all(box.x0 >= 0 for box in boxes)


def test_recalls_are_those_of_scikit_learn() -> None:
    report = classes(4)
    found = report.predictions
    expected = recall_score(found.true_class, found.predicted_class, average=None)
    axes = drawn(report)["recall_per_class"].figure.axes[0]
    dots = {line.get_ydata()[0]: line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1}
    assert [dots[place] for place in range(4)] == pytest.approx(expected.tolist())


def test_errors_are_those_of_scikit_learn(tiered: Report) -> None:
    found = tiered.predictions
    expected = mean_absolute_error(found.true_scores, found.predicted_scores, multioutput="raw_values")
    axes = drawn(tiered)["mae_per_dimension"].figure.axes[0]
    dots = {line.get_ydata()[0]: line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 1}
    assert [dots[place] for place in range(3)] == pytest.approx(expected.tolist())


def test_training_error_stands_beside_that_of_validation(tiered: Report) -> None:
    axes = drawn(tiered)["mae_by_epoch"].figure.axes[0]
    courses = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert courses["training"] == [0.9, 0.45]
    assert courses["validation"] == [row.metrics["mae"] for row in tiered.chosen.record.epochs]


def test_every_figure_is_told_in_words(tiered: Report) -> None:
    for name, picture in {**drawn(tiered), **drawn(classes(3))}.items():
        assert picture.title, name
        assert picture.caption.endswith("."), name
        assert re.search(r"\d", picture.description), name
    assert "deployed_proven: " in drawn(tiered)["recall_per_class"].description


def test_names_of_any_kind_are_drawn(tmp_path: Path) -> None:
    # Mathematics, a legend's hidden mark, another script, a name too long, and a percent sign.
    names = ["$x^2$", "_hidden", "有害な発言", "a class with a name of more than forty letters", "100 % {sure}"]
    report = classes(5, names)
    write_report(tmp_path, report, "png")
    labels = [label.get_text() for label in drawn(report)["recall_per_class"].figure.axes[0].get_yticklabels()]
    assert labels == ["$x^2$", "_hidden", "有害な発言", "a class with a name of more..", "100 % {sure}"]


def test_several_labels_per_row_have_a_figure() -> None:
    true = np.array([[1, 0], [1, 1], [0, 0], [1, 0]], dtype=bool)
    predicted = np.array([[1, 0], [0, 0], [1, 0], [1, 1]], dtype=bool)
    labels = LabelSpace(("insult", "threat"), ("threat",), multilabel=True)
    found = Predictions(np.arange(4), true_labels=true, predicted_labels=predicted)
    told = drawn(of_predictions("labels.csv", found, labels, []))["confusion_matrix"]
    assert (
        told.description
        == "insult: 2 found, 1 not found, 1 false alarms; threat: 0 found, 1 not found, 1 false alarms."
    )


def test_colours_are_those_of_the_page() -> None:
    css = files("rarecall.analysis.report.html").joinpath("page.css").read_text(encoding="utf-8").partition("@media")[0]
    ours = {"ink": INK, "soft": SOFT, "rule": RULE, "thin": THIN, "accent": ACCENT, "good": GOOD, "bad": BAD}
    for name, colour in ours.items():
        assert f"--{name}: {colour};" in css


def test_run_without_epochs_has_no_figures(write_ledger, rows, tmp_path: Path) -> None:
    report = of_run(read_ledger(write_ledger(rows.run(), rows.trial("t00"), rows.end("t00", "failed"))))
    assert all(isinstance(one, LeftOut) for one in figures(report).values())
    assert len(write_report(tmp_path / "none", report, "png")) == len(figures(report))


@pytest.mark.parametrize(
    ("output", "asked", "expected"),
    [
        ("r.html", None, "html"),
        ("r.HTM", None, "html"),
        ("r.docx", None, "docx"),
        ("pictures", None, "png"),
        ("page", "html", "html"),
        ("r.v2", "docx", "docx"),
        ("pictures", "png", "png"),
    ],
)
def test_format_is_told_by_the_ending_or_asked_for(output: str, asked: str | None, expected: str) -> None:
    assert form_of(Path(output), asked) == expected


@pytest.mark.parametrize(
    ("output", "asked", "message"),
    [
        (
            "r.docx",
            "html",
            r"must not contradict --format html, got 'r\.docx' \(-o report\.html, or leave --format out\)",
        ),
        ("r.html", "png", r"must name a folder, as every figure has a file of its own, got 'r\.html' \(-o figures\)"),
        ("r.png", "png", r"must name a folder"),
        ("r.png", None, r"must end in \.html or \.docx or be a folder for figures, got 'r\.png'"),
        ("r.pdf", None, r"must end in \.html or \.docx .* \(or say --format html\|docx\|png\)"),
    ],
)
def test_name_and_format_that_do_not_agree_are_one_fault(output: str, asked: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        form_of(Path(output), asked)
    assert len(caught.value.faults) == 1


def test_folder_is_no_name_for_a_page(tmp_path: Path) -> None:
    assert form_of(tmp_path) == "png"
    with pytest.raises(InputError, match="must name a file for --format docx"):
        form_of(tmp_path, "docx")


def test_figures_that_cannot_be_written_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(RunError, match=r"the report cannot be written: .* \(name another file with -o\)"):
        write_report(tmp_path / "taken", classes(2), "png")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
