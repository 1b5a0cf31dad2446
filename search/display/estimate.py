"""An estimate as calm text: what the rows can tell, then what the search costs."""

import textwrap
from collections.abc import Iterator

from rarecall.analysis.text.table import GAP, Column, cut, fitting, render_columns, total_width
from rarecall.analysis.text.wording import duration_text, parameters_text, probability_text
from rarecall.analysis.uncertainty.decidability import MARGIN, Decidability
from rarecall.analysis.uncertainty.intervals import LEVEL
from rarecall.search.estimate.cost import Estimate, Outlook
from rarecall.search.estimate.epochs import Work

SHOWN_CLASSES = 12
LONGEST, LEAST_NAME = 28, 16


def render(found: Estimate, width: int) -> str:
    """The text within `width` columns."""
    parts = [
        _rare_rows(found),
        _criteria(found, width),
        list(_searched(found, width)),
        list(_cost(found, width)),
        list(_space(found, width)),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def size_text(size: float) -> str:
    """Bytes in their natural unit.

    >>> size_text(5_000), size_text(3.2 * 2**20), size_text(1.5 * 2**30)
    ('5 kB', '3 MB', '1.5 GB')
    """
    if size < 2**20:
        return f"{size / 2**10:.0f} kB"
    return f"{size / 2**20:.0f} MB" if size < 2**30 else f"{size / 2**30:.1f} GB"


def _rare_rows(found: Estimate) -> list[str]:
    """Rows of the minority classes in each split, the rarest first."""
    counts = found.class_counts
    rare = sorted(found.labels.minority, key=lambda name: counts["train"][name])
    shown = rare[:SHOWN_CLASSES]
    columns = [
        Column(("minority class",), tuple(cut(name, LONGEST) for name in shown), "<"),
        *(Column((split,), tuple(f"{by_class[name]:,}" for name in shown)) for split, by_class in counts.items()),
    ]
    more = [f"and {len(rare) - len(shown)} more minority classes"] if len(rare) > len(shown) else []
    return [f"{found.name}: rare rows", "", *render_columns(columns), *more]


def _searched(found: Estimate, width: int) -> Iterator[str]:
    """What `space: auto` makes of the labels, and why."""
    for key, searched, why in found.searched:
        yield from textwrap.wrap(f"space  {key}: {searched}; {why}", width, subsequent_indent=" " * 7)


def _criteria(found: Estimate, width: int) -> list[str]:
    """Whether each criterion can be decided; those about amounts and means cannot be told beforehand."""
    if not found.outlooks:
        return []
    told = [(one, one.decidability) for one in found.outlooks]
    points = f"+{100 * MARGIN:.0f} pts"
    figures = [
        Column(("rows",), tuple(f"{d.rows:,}" if d else "-" for _, d in told)),
        Column(("met", "from"), tuple(_least(d) if d else "-" for _, d in told)),
        Column(("P(met)", points), tuple(probability_text(d.expected) if d else "-" for _, d in told)),
        Column(("rows", "needed"), tuple(f"{d.needed:,}" if d else "-" for _, d in told)),
        Column(("verdict",), tuple(d.outlook if d else "after training" for _, d in told), "<"),
    ]
    left = max(LEAST_NAME, width - total_width(figures) - len(GAP))
    names = Column(("criterion",), tuple(cut(_name(one), left) for one, _ in told), "<")
    best = Column(("P(met)", "all right"), tuple(probability_text(d.at_best) if d else "-" for _, d in told))
    columns = fitting([names, *figures], [best], width)
    legend = (
        f"met from: right rows that make the verdict met, at a probability of {LEVEL:.2f}. {points}: where that many "
        "points more are right than asked for. rows needed: for that to be enough."
    )
    return [*render_columns(columns), *textwrap.wrap(legend, width)]


def _least(one: Decidability) -> str:
    return "never" if one.least is None else f"{one.least:,} of {one.rows:,}"


def _name(one: Outlook) -> str:
    return f"{one.criterion} ({one.decided_by})" if one.decided_by else one.criterion


def _cost(found: Estimate, width: int) -> Iterator[str]:
    epochs, slots = found.epochs, found.slots
    what = "GPU" if slots.gpus else "CPU"
    each = f"{slots.workers} × {slots.gpus if slots.gpus else slots.cpus:g} {what}"
    together = f"{slots.slots} slot{'s' if slots.slots != 1 else ''} of {each} on this machine"
    part = "at most " if found.epochs.most.passes < found.epochs.most.epochs else ""
    rows = f"{part}{found.epoch_rows:,} training and {found.validation_rows:,} validation rows an epoch"
    yield from textwrap.wrap(f"{found.trials} trials, {rows}; {together}", width)
    measured = found.measured
    if measured:
        per_row = f"{1000 * measured.train:.2f} ms to train on a row, {1000 * measured.validate:.2f} ms to validate one"
        frozen = f", {1000 * measured.freeze:.2f} ms once to compute its frozen layers" if measured.freeze else ""
        yield from textwrap.wrap(f"trained with its own settings: {parameters_text(*measured.parameters)}", width)
        yield from textwrap.wrap(f"measured on this {measured.device.upper()}: {per_row}{frozen}", width)
    yield ""
    kinds = {
        "all stop at the first comparison": epochs.least,
        "as early stopping usually goes": epochs.usual,
        "none stops early": epochs.most,
    }
    if epochs.least == epochs.most:
        kinds = {"all trials to their end": epochs.most}
    yield from render_columns(_cost_columns(found, kinds, what))
    if found.refit_epochs:
        took = "" if measured is None else f"; {duration_text(found.refit_seconds)}, which the wall time holds"
        again = f"then the best on all rows: {found.refit_epochs} epochs of {found.refit_rows:,} rows{took}"
        yield from textwrap.wrap(f"{again} (search.refit)", width)
    if measured is None:
        yield "Time was not measured (--no-measure)."


def _cost_columns(found: Estimate, kinds: dict[str, Work], what: str) -> list[Column]:
    columns = [
        Column(("trials",), tuple(kinds), "<"),
        Column(("epochs",), tuple(f"{work.epochs:,}" for work in kinds.values())),
    ]
    if found.measured is None:
        return columns
    units = found.slots.workers * (found.slots.gpus or found.slots.cpus)
    return [
        *columns,
        Column((f"{what}-hours",), tuple(f"{found.seconds(work) * units / 3600:.2f}" for work in kinds.values())),
        Column(("wall time",), tuple(duration_text(found.wall(work)) for work in kinds.values())),
    ]


def _space(found: Estimate, width: int) -> Iterator[str]:
    memory = f"memory shared by all trials: {size_text(found.encoded)} of inputs"
    states = f" and {size_text(found.states)} of frozen layers' outputs" if found.states else ""
    yield from textwrap.wrap(memory + states, width)
    if found.measured:
        each = f"{size_text(found.measured.checkpoint)} each, the best and the last epoch of each trial"
        yield from textwrap.wrap(f"disk: at most {size_text(found.checkpoint_bytes)} of checkpoints ({each})", width)
