"""Nothing from outside drives a terminal or a spreadsheet."""

import csv
import io

import pytest

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.predictions.label_names import label_of
from rarecall.analysis.visible import not_a_formula, visible


@pytest.mark.parametrize("text", ["\x1b[2J", "\x07", "\r", "\x9b31m", "\u202e", "\x7f", "\x00"])
def test_control_characters_become_escapes(text):
    assert visible(f"a{text}b").isascii()
    assert visible(f"a{text}b").isprintable()
    assert visible("a\tb\nü") == "a\tb\nü"


def test_labels_and_faults_hold_none():
    assert label_of("spam\x1b[31m") == r"spam\x1b[31m"
    assert "\x1b" not in str(InputError("a\x1b[2Jb.csv", [Fault("a\x1b", "rule", "\x1b[31m", "\x07")]))


@pytest.mark.parametrize("cell", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", " =1"])
def test_a_spreadsheet_runs_nothing(cell):
    written = io.StringIO()
    csv.writer(written).writerow([not_a_formula(cell)])
    assert next(csv.reader(io.StringIO(written.getvalue()))) == [f"'{cell}"]


@pytest.mark.parametrize("cell", ["-0.5", "+1e-3", "-inf", -1, 0.5, None, "a=b", ""])
def test_figures_stay_figures(cell):
    assert not_a_formula(cell) == cell
