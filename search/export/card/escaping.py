"""Text of a user's in a model card, which a web page shows: nothing of it is markup."""

import html

from rarecall.analysis.visible import visible


def plain_text(value: object) -> str:
    r"""A value in one line, of which nothing is HTML, a link, a picture or the end of a cell.

    >>> plain_text("<script>"), plain_text("[a](http://b)"), plain_text("recall[a|b]")
    ('&lt;script&gt;', '[a]\\(http://b)', 'recall[a\\|b]')
    """
    text = html.escape(_one_line(value), quote=False)
    return text.replace("](", "]\\(").replace("|", "\\|").replace("`", "'")


def code_text(value: object) -> str:
    """A value between backticks, which Markdown shows as it is, but for what would end them.

    >>> code_text("recall[`x`] >= 0.4")
    "recall['x'] >= 0.4"
    """
    return _one_line(value).replace("`", "'")


def _one_line(value: object) -> str:
    return " ".join(visible(str(value)).split())
