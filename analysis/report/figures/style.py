"""How the pictures look: the light colours of the page, which differ in lightness too, and fonts for any class name."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import get_font_names
from matplotlib.ticker import MaxNLocator, PercentFormatter

DPI = 200
_PAD = 0.08  # inches around axes
WIDE = 6.3  # inches: the text of an A4 page between margins of 1 inch
# The variables of the same names in page.css.
INK, SOFT, RULE, THIN = "#1d1f21", "#595d61", "#d9d9d3", "#70777d"
ACCENT, GOOD, BAD = "#00609c", "#00684a", "#a83c00"
# Lines of several classes: told apart by dashes as well.
COLOURS = (ACCENT, BAD, GOOD, "#8a4a78", "#6b6100")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)), (0, (8, 2)))
# Tiers from the lowest on: told apart by signs as well.
TIER_COLOURS = (THIN, ACCENT, GOOD, BAD, "#8a4a78", "#6b6100")
TIER_SIGNS = ("o", "^", "s", "D", "x", "+")

_OTHER_SCRIPTS = ("Noto Sans CJK JP", "IPAGothic", "Noto Sans Arabic", "Noto Sans Devanagari", "Noto Sans Hebrew")
_STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.edgecolor": THIN,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "text.parse_math": False,  # a class may be called $x$
}


@dataclass(frozen=True)
class Picture:
    """A figure with what is said about it. caption: how to read it. description: for who cannot see it."""

    title: str
    caption: str
    description: str
    figure: Figure

    def save(self, target: Path | IO[bytes]) -> None:
        """Write it as PNG."""
        with style():
            about = {"Title": self.title, "Description": self.description, "Software": "rarecall"}
            self.figure.savefig(target, format="png", dpi=DPI, metadata=about)


@dataclass(frozen=True)
class LeftOut:
    """Why a figure makes no sense here."""

    reason: str


@contextmanager
def style() -> Iterator[None]:
    """Within it figures are made and written in our style."""
    with mpl.rc_context({**_STYLE, "font.sans-serif": ["DejaVu Sans", *_other_fonts()]}), warnings.catch_warnings():
        # A script without an installed font is shown as boxes, which is no reason to fail.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def canvas(height: float, columns: int = 1, rows: int = 1, width: float = WIDE) -> tuple[Figure, list[Axes]]:
    """A figure of that size in inches, and its axes one after another."""
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine("constrained", w_pad=_PAD, h_pad=_PAD)
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def percent_axis(axes: Axes, which: str = "y", high: float = 1.0) -> None:
    """Shares from 0 to 100 %, with a little room for marks at the ends."""
    limits, axis = (axes.set_ylim, axes.yaxis) if which == "y" else (axes.set_xlim, axes.xaxis)
    limits(-0.02 * high, 1.02 * high)
    axis.set_major_formatter(PercentFormatter(1.0, decimals=None, symbol=" %"))


def epoch_axis(axes: Axes, epochs: Sequence[int]) -> None:
    """Whole epochs."""
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True, min_n_ticks=1))
    axes.set_xlim(min(epochs, default=1) - 0.4, max(epochs, default=1) + 0.4)


@cache
def _other_fonts() -> tuple[str, ...]:
    installed = set(get_font_names())
    return tuple(name for name in _OTHER_SCRIPTS if name in installed)
