"""The report of 200 trials in a real browser: quick, quiet, alone, and it sorts and filters by clicking."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.report import of_run, write_report
from rarecall.analysis.runs.ledger import LEDGER_NAME, Ledger, read_ledger
from tests.chromium import Page, chromium, find_chromium

PROGRAM = find_chromium()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium installed (apt-get install chromium)")

TRIALS, EPOCHS, STORED = 200, 3, 20
SIZE_LIMIT, SECONDS_LIMIT = 5 * 2**20, 2.0
SHOWN = "[...document.querySelectorAll('.sortable tbody tr')].filter(row => !row.hidden)"
NARROW, WIDE = 400, 1280


@pytest.fixture(scope="module")
def report(tmp_path_factory, rows, tiers, tier_criteria, tiered_predictions) -> Path:
    folder = tmp_path_factory.mktemp("run")
    generator = np.random.default_rng(0)
    with Ledger(folder / LEDGER_NAME) as ledger:
        ledger.append(rows.run(labels=tiers, criteria=tier_criteria))
        for number in range(TRIALS):
            trial, ratio = f"t{number:03d}", float(generator.uniform(0, 0.3))
            loss = str(generator.choice(["focal", "mse"]))
            ledger.append(rows.trial(trial, **{"training.oversampling.ratio": ratio, "training.loss.name": loss}))
            # Few different predictions: computing them for each epoch would take most of the test.
            predictions = tiered_predictions(4.0 - 10 * ratio, number % STORED)
            metrics, counts = evaluate(predictions, tiers), confusion_matrix(predictions, tiers)
            write_predictions(folder / f"predictions/{trial}.parquet", predictions, tiers)
            for epoch in range(1, EPOCHS + 1):
                ledger.append(rows.epoch(trial, epoch, metrics, confusion=counts))
            ledger.append(rows.end(trial, "completed" if number % 4 else "stopped"))
    path = folder / "report.html"
    write_report(path, of_run(read_ledger(folder)))
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with chromium(PROGRAM or "") as page:
        yield page


@pytest.fixture
def page(browser: Page, report: Path) -> Page:
    browser.resize(WIDE)
    browser.open(report)
    return browser


def column(page: Page, title: str) -> int:
    """Number of a column of the leaderboard, from 1."""
    heads = page.value("[...document.querySelectorAll('.sortable thead th')].map(head => head.textContent)")
    return int(heads.index(title)) + 1


def cells(page: Page, title: str) -> list[str]:
    """What the rows shown have in a column."""
    return list(page.value(f"{SHOWN}.map(row => row.cells[{column(page, title) - 1}].textContent)"))


def click_head(page: Page, title: str) -> str:
    """Click the head of a column; gives how the table is sorted by it then."""
    head = f".sortable thead th:nth-child({column(page, title)})"
    page.click(f"{head} button")
    return str(page.value(f"document.querySelector({head!r}).getAttribute('aria-sort')"))


def test_page_is_small_quick_quiet_and_alone(browser: Page, report: Path) -> None:
    assert report.stat().st_size < SIZE_LIMIT
    assert min(browser.open(report) for _ in range(3)) < SECONDS_LIMIT
    assert browser.complaints == []
    assert browser.requests == [report.resolve().as_uri()]


def test_numbers_sort_by_value_and_back(page: Page) -> None:
    assert click_head(page, "minority recall") == "descending"
    recalls = [float(cell.removesuffix(" %")) for cell in cells(page, "minority recall")]
    assert recalls == sorted(recalls, reverse=True)
    assert len(recalls) == TRIALS
    assert click_head(page, "minority recall") == "ascending"
    assert [float(cell.removesuffix(" %")) for cell in cells(page, "minority recall")] == sorted(recalls)


def test_words_sort_from_a_and_one_column_is_marked(page: Page) -> None:
    assert click_head(page, "status") == "ascending"
    statuses = cells(page, "status")
    assert statuses == sorted(statuses)
    assert click_head(page, "rank") == "ascending"
    assert cells(page, "rank") == [str(number) for number in range(1, TRIALS + 1)]
    assert page.value("document.querySelectorAll('[aria-sort]').length") == 1


def test_keyboard_sorts(page: Page) -> None:
    page.value("document.querySelector('.sortable thead th:nth-child(2) button').focus()")
    page.press("Enter")
    assert cells(page, "trial") == [f"t{number:03d}" for number in range(TRIALS)]
    page.press("Tab")
    assert page.value("document.activeElement.closest('th').textContent") == "status"


def test_text_filters_rows_and_dims_lines(page: Page) -> None:
    page.click("#find")
    page.type("stopped FOCAL")
    assert set(cells(page, "status")) == {"stopped"}
    assert set(cells(page, "name")) == {"focal"}
    shown = len(cells(page, "trial"))
    assert 0 < shown < TRIALS
    assert page.value("document.getElementById('count').value") == f"{shown} of {TRIALS} trials"
    assert page.value("document.querySelectorAll('#parallel-coordinates path[data-trial]:not(.dim)').length") == shown


def test_switch_keeps_trials_that_meet_all_criteria(page: Page, tier_criteria: tuple[str, ...]) -> None:
    whole = f"{len(tier_criteria)} of {len(tier_criteria)}"
    meeting = cells(page, "met").count(whole)
    assert 0 < meeting < TRIALS
    page.click("#meets")
    assert cells(page, "met") == [whole] * meeting
    page.click("#meets")
    assert len(cells(page, "met")) == TRIALS


def test_filter_that_nothing_fits_says_so(page: Page) -> None:
    page.click("#find")
    page.type("no such trial")
    assert cells(page, "trial") == []
    assert page.value("document.getElementById('count').value") == f"0 of {TRIALS} trials"


def test_page_is_readable_without_script(browser: Page, report: Path) -> None:
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    browser.open(report)
    browser.call("Emulation.setScriptExecutionDisabled", value=False)
    assert len(cells(browser, "trial")) == TRIALS
    assert browser.value("getComputedStyle(document.querySelector('.controls')).display") == "none"
    assert browser.value("document.querySelectorAll('.sortable button').length") == 0


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_page_is_no_wider_than_the_window(browser: Page, report: Path, width: int) -> None:
    browser.resize(width)
    browser.open(report)
    assert browser.value("document.documentElement.scrollWidth") <= width
    # Nothing but what stands in a frame of its own sticks out.
    free = "[...document.querySelectorAll('body *')].filter(one => !one.closest('.scroll'))"
    assert browser.value(f"{free}.filter(one => one.getBoundingClientRect().right > {width + 1}).length") == 0


@pytest.mark.parametrize("dark", [False, True])
def test_colours_of_text_have_contrast(browser: Page, report: Path, dark: bool) -> None:
    browser.resize(WIDE, dark=dark)
    browser.open(report)
    names = ("paper", "raised", "ink", "soft", "accent", "good", "bad")
    style = "getComputedStyle(document.documentElement)"
    colours = {name: str(browser.value(f"{style}.getPropertyValue('--{name}')")) for name in names}
    for ground in ("paper", "raised"):
        for text in names[2:]:
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: (L1 + 0.05) / (L2 + 0.05), the lighter one above."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    channels = [int(part, 16) / 255 for part in re.findall("[0-9a-f]{2}", colour)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_contrast_of_black_and_white() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
