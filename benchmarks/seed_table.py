"""Metrics of several seeds as one table: mean, lowest and highest."""

import statistics
from collections.abc import Mapping, Sequence

from rarecall.analysis.text.table import Column, render_columns


def seed_table(title: str, rows: Mapping[str, Sequence[Mapping[str, float]]], shown: Sequence[str]) -> list[str]:
    """Lines of the table. rows: by what stands at their side, the metrics of each seed. shown: a column each."""
    columns = [Column((title,), tuple(rows), "<")]
    columns += [Column((key,), tuple(spread([one[key] for one in found]) for found in rows.values())) for key in shown]
    return render_columns(columns)


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Mean (lowest to highest); a value alone as it is."""
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.{digits}f} to {max(values):.{digits}f})"
