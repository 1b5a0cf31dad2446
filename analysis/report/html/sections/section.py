"""A section of the page: a heading and what stands under it, left out where there is nothing to tell."""

from dataclasses import dataclass

from rarecall.analysis.report.html.markup import Child, Markup, element, slug


@dataclass(frozen=True)
class Section:
    """One section; its id is the slug of its title."""

    title: str
    content: tuple[Child, ...]

    @property
    def id(self) -> str:
        return slug(self.title)

    def html(self) -> Markup:
        """The section as an element that its heading names."""
        heading = element("h2", self.title, id=f"{self.id}-heading")
        return element("section", heading, *self.content, id=self.id, aria_labelledby=f"{self.id}-heading")


def note(*content: Child) -> Markup:
    """A paragraph that says how far something is to be trusted."""
    return element("p", *content, class_="note")
