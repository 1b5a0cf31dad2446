"""What came of which setting, trial by trial."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import NullFormatter

from rarecall.analysis.report.contents import Report
from rarecall.analysis.report.figures.style import ACCENT, BAD, LeftOut, Picture, canvas, percent_axis
from rarecall.analysis.report.parameter_values import logarithmic, names_of, number_text, numbers_of
from rarecall.analysis.report.parameters import FEWEST, Effect, effects, medians
from rarecall.analysis.text.table import cut, short_names

_PANELS, _COLUMNS = 9, 3
_FEW_PLACES, _SIDEWAYS = 8, 0.03


def parameter_effects(report: Report) -> Picture | LeftOut:
    """Minority recall by each parameter that varies, those first that seem to matter most."""
    if report.run is None:
        return LeftOut("predictions alone have no parameters")
    found = effects(report.ranked, report.level)
    if not found.effects:
        return LeftOut("no parameter varies")
    if found.trials < FEWEST:
        return LeftOut(f"{found.trials} trials are too few to tell what a parameter does; it takes {FEWEST}")
    shown = found.effects[:_PANELS]
    columns = min(_COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure, panels = canvas(0.4 + 2.1 * rows, columns, rows, width=0.6 + 2.2 * columns)
    titles = short_names([one.path for one in shown], ".", from_end=True)
    told = [_panel(axes, one, title) for axes, one, title in zip(panels, shown, titles, strict=False)]
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    figure.supylabel("minority recall", fontsize=9)
    some = f"the first {_PANELS} of {len(found.effects)} settings" if len(found.effects) > _PANELS else "each setting"
    caption = f"Minority recall by {some}: a dot is a trial ({found.trials}), orange the medians. Hints, no experiment."
    return Picture("Settings and minority recall", caption, f"{'; '.join(told)}.", figure)


def _panel(axes: Axes, effect: Effect, title: str) -> str:
    names = names_of(effect.values)
    pairs = [
        (float(names.index(value)) if isinstance(value, str) else value, outcome)
        for value, outcome in zip(effect.values, effect.outcome.tolist(), strict=True)
        if value is not None
    ]
    log = not names and logarithmic(numbers_of(effect.values))
    _scatter(axes, pairs, log=log)
    middles = medians(pairs, by_place=bool(names))
    axes.plot(
        *zip(*middles, strict=True), "_" if names else "-", color=BAD, markersize=16, markeredgewidth=2, linewidth=1.8
    )
    percent_axis(axes, high=min(1.0, max(0.1, 1.1 * float(effect.outcome.max()))))
    if names:
        axes.set_xticks(range(len(names)), [cut(name, 10) for name in names], fontsize=7)
        axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_title(cut(title, 24))
    return f"{effect.path}: medians from left to right {', '.join(f'{100 * value:.0f} %' for _, value in middles)}"


def _scatter(axes: Axes, pairs: list[tuple[float, float]], *, log: bool) -> None:
    """Dots, moved sideways at random where many have the same place."""
    places, outcomes = np.array(pairs).T
    spread = np.log(places) if log else places
    few = len(np.unique(places)) <= _FEW_PLACES
    reach = _SIDEWAYS * (np.ptp(spread) or 1.0) if few else 0.0
    spread = spread + reach * np.random.default_rng(0).uniform(-1, 1, len(places))
    axes.plot(
        np.exp(spread) if log else spread, outcomes, "o", color=ACCENT, alpha=0.5, markersize=3.5, markeredgewidth=0
    )
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: number_text(value))
        axes.xaxis.set_minor_formatter(NullFormatter())
