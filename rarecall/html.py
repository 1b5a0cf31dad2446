"""Tables for notebooks."""

import html
from collections.abc import Iterable

import pandas as pd

DIGITS = "{:.3g}".format


def table_page(title: str, parts: Iterable[tuple[str, pd.DataFrame]]) -> str:
    """A heading, and each part's caption over its frame; all text is escaped."""
    tables = "".join(
        f"<p><b>{html.escape(caption)}</b></p>{frame.to_html(index=False, float_format=DIGITS, na_rep='', border=0)}"
        for caption, frame in parts
    )
    return f"<div><p><code>{html.escape(title)}</code></p>{tables}</div>"
