"""A label profile as a picture: a bar for each class on a logarithmic scale, its ratio beside it."""

import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from rarecall.analysis.profile.label_profile import Profile

INCHES_PER_CLASS, INCHES_AROUND, INCHES_WIDE = 0.3, 1.9, 9.0
MINORITY, MAJORITY, OTHER = "#c2410c", "#64748b", "#1e293b"
# Marker of a split, and how far above the middle of the bar it stands.
MARKERS = {"validation": ("o", 0.17), "test": ("D", -0.17)}


def draw(profile: Profile, path: Path) -> None:
    """Write the picture; the ending of `path` says which format.

    Raises:
        ValueError: matplotlib knows no format of that ending.
    """
    ordered = sorted(profile.classes, key=lambda one: one.rows["train"])
    figure = Figure(figsize=(INCHES_WIDE, INCHES_AROUND + INCHES_PER_CLASS * len(ordered)), layout="constrained")
    axes = figure.subplots()
    for minority, colour, text in ((True, MINORITY, "minority classes"), (False, MAJORITY, "other classes")):
        places = [place for place, one in enumerate(ordered) if one.minority is minority]
        counts = [ordered[place].rows["train"] for place in places]
        axes.barh(places, counts, color=colour, label=f"training rows of {text}", height=0.7)
    for split, (marker, above) in MARKERS.items():
        held = [(one.rows.get(split, 0), place + above) for place, one in enumerate(ordered) if one.rows.get(split, 0)]
        if held:
            rows, places_of_rows = np.array(held).T
            axes.plot(rows, places_of_rows, marker, markersize=5, mfc="white", mec=OTHER, label=f"{split} rows")
    for place, one in enumerate(ordered):
        told = "no rows" if math.isinf(profile.ratio(one)) else f"{one.rows['train']:,}  1 : {profile.ratio(one):.1f}"
        axes.annotate(told, (max(1, one.rows["train"]), place), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(ordered)), [one.name for one in ordered])
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.set_xscale("log")
    # Room for the figures behind the longest bar.
    axes.set_xlim(0.8, 6 * profile.largest)
    axes.set_xlabel("rows; 1 : how many rows of the largest class for each")
    axes.set_title(f"{profile.name}: {sum(profile.rows.values()):,} rows", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=120)
