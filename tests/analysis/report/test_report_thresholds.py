"""Thresholds that can be moved, and cells that lead to their rows: counts against scikit-learn, links that arrive."""

import json
import re

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_score, recall_score

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.report import of_predictions, write_report
from rarecall.analysis.report.row_list import confused
from rarecall.analysis.report.thresholds import class_curve, curve
from tests.chromium import chromium, find_chromium

CLASSES = LabelSpace(("calm", "odd", "threat"), ("odd", "threat"))
LEVEL = 0.9


@pytest.fixture(scope="module")
def predictions():
    random = np.random.default_rng(2)
    truth = random.choice(3, 400, p=[0.85, 0.1, 0.05])
    logits = random.normal(0, 1, (400, 3)) + 1.5 * np.eye(3)[truth] + [1.5, 0, 0]
    powers = np.exp(logits)
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    return Predictions(np.arange(400), truth, probabilities.argmax(axis=1), probabilities)


@pytest.fixture(scope="module")
def path(predictions, tmp_path_factory):
    found = tmp_path_factory.mktemp("report") / "report.html"
    write_report(found, of_predictions("made", predictions, CLASSES, ()))
    return found


def test_each_point_counts_what_scikit_learn_counts(predictions):
    found = class_curve(predictions, CLASSES, "threat", LEVEL)
    truth, score = predictions.true_class == 2, predictions.probabilities[:, 2]
    assert found.average_precision == pytest.approx(average_precision_score(truth, score))
    assert len(found.points) == truth.sum() == found.rows
    for point in found.points[::5]:
        named = score >= point.threshold
        assert point.precision == pytest.approx(precision_score(truth, named))
        assert found.recall(point) == pytest.approx(recall_score(truth, named))
        assert point.hits + point.alarms == named.sum()
    named = predictions.predicted_class == 2
    assert found.named == ((named & truth).sum(), (named & ~truth).sum())


def test_of_many_rows_some_thresholds_are_left_out_and_the_ends_stay():
    score = np.arange(1000) / 1000
    found = curve(score, score > 0.3, score > 0.5, LEVEL)
    assert len(found.points) == 200
    assert (found.points[0].hits, found.points[-1].hits) == (1, 699)


def test_a_tier_is_judged_with_those_above_it_by_the_overall_score():
    tiers = LabelSpace(("low", "middle", "high"), ("low", "middle"), ("depth",), ordered=True)
    overall = np.array([1.0, 5.0, 3.0, 8.0])
    rows = Predictions(np.arange(4), np.array([0, 1, 1, 2]), np.array([0, 1, 0, 2]), predicted_overall=overall)
    found = class_curve(rows, tiers, "middle", LEVEL)
    assert [(one.threshold, one.hits, one.alarms) for one in found.points] == [(8.0, 1, 0), (5.0, 2, 0), (3.0, 3, 0)]
    assert found.named == (2, 0)
    assert class_curve(rows, tiers, "low", LEVEL) is None


def test_rows_of_a_cell_are_those_confused_and_the_surest_first(predictions):
    cells = {(one.true, one.predicted): one for one in confused(predictions, CLASSES)}
    assert sum(len(one.rows) for one in cells.values()) == (predictions.true_class != predictions.predicted_class).sum()
    rows = [one.row for one in cells[2, 0].rows]
    mine = np.flatnonzero((predictions.true_class == 2) & (predictions.predicted_class == 0))
    assert sorted(rows) == mine.tolist()
    assert rows[0] == mine[predictions.probabilities[mine, 0].argmax()]


def test_false_alarms_of_rare_labels_are_listed():
    labels = LabelSpace(("calm", "threat"), ("threat",), multilabel=True)
    truth = np.array([[True, False], [False, True], [True, False]])
    named = np.array([[False, True], [False, True], [True, False]])
    rows = Predictions(np.arange(3), true_labels=truth, predicted_labels=named)
    (found,) = confused(rows, labels)
    assert (found.true, found.predicted, [one.row for one in found.rows]) == (None, 1, [0])


def test_every_link_of_the_page_arrives(path):
    text = path.read_text()
    links = set(re.findall(r'href="#([^"]+)"', text))
    assert {"cell-2-0", "cell-0-2", "rare-2"} <= links
    assert links <= set(re.findall(r'id="([^"]+)"', text))


@pytest.mark.skipif(find_chromium() is None, reason="no Chromium installed (apt-get install chromium)")
def test_a_threshold_is_moved_and_a_cell_opens_its_rows(path, predictions):
    truth, score = predictions.true_class == 2, predictions.probabilities[:, 2]
    rarest = "[...document.querySelectorAll('.threshold')][0]"
    with chromium(find_chromium()) as page:
        page.resize(1280)
        page.open(path)
        points = json.loads(page.value(f"{rarest}.querySelector('form').dataset.points"))
        page.value(
            f"(form => {{ const range = form.querySelector('input'); range.value = 4;"
            f"range.dispatchEvent(new Event('input', {{bubbles: true}})) }})({rarest}.querySelector('form'))"
        )
        told = page.value(f"{rarest}.querySelector('output.told').value")
        alarms = (score[~truth] >= points[4][0]).sum()
        assert f"5 of {truth.sum()} found" in told
        assert f", {alarms} false alarm" in told
        page.click(".threshold form button")
        place = int(page.value(f"{rarest}.querySelector('input').value"))
        prices = [10 * (truth.sum() - hits) + wrong for _, hits, wrong, *_ in points]
        assert prices[place] == min(prices)
        assert f"costs {min(prices):,} false alarms" in page.value(f"{rarest}.querySelector('output.cost').value")
        page.click("a[href='#cell-2-0']")
        assert page.value("document.getElementById('cell-2-0').closest('details').open")
        assert page.complaints == []
