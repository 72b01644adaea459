"""One colour and one shape per contender, the same in every chart and table of a page.

The colours themselves are CSS custom properties `--series-0` … `--series-7` (templates/style.css), so that light,
dark and print pages share one drawing. Eight hues that stay apart for colour-blind readers; beyond eight
contenders colours repeat with another shape and dash, and no chart relies on colour alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

COLOURS = 8
SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)
DASHES = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3])

_SHAPE_PATHS = {
    "circle": "M8 2.5a5.5 5.5 0 1 0 .01 0z",
    "square": "M3 3h10v10H3z",
    "triangle-up": "M8 2l6.2 11H1.8z",
    "diamond": "M8 1l5.5 7L8 15 2.5 8z",
    "cross": "M5.8 2h4.4v3.8H14v4.4h-3.8V14H5.8v-3.8H2V5.8h3.8z",
    "triangle-down": "M8 14L1.8 3h12.4z",
    "triangle-right": "M14 8L3 14.2V1.8z",
    "triangle-left": "M2 8l11-6.2v12.4z",
}


@dataclass(frozen=True)
class Series:
    """How one contender looks."""

    contender: str
    index: int

    @property
    def css_class(self) -> str:
        """Class that sets the text colour, e.g. "s3"."""
        return f"s{self.index % COLOURS}"

    @property
    def colour(self) -> str:
        """The colour as a CSS value."""
        return f"var(--series-{self.index % COLOURS})"

    @property
    def shape(self) -> str:
        """Vega's name of the point shape."""
        return SHAPES[(self.index + self.index // COLOURS) % len(SHAPES)]

    @property
    def shape_path(self) -> str:
        """The shape as an SVG path in a box of 16 by 16."""
        return _SHAPE_PATHS[self.shape]

    @property
    def dash(self) -> list[int]:
        """Line dashes; solid for the first eight contenders."""
        return DASHES[self.index // COLOURS % len(DASHES)]


def assign(contenders: Iterable[str]) -> dict[str, Series]:
    """A `Series` for each contender, in order of first appearance."""
    series: dict[str, Series] = {}
    for contender in contenders:
        if contender not in series:
            series[contender] = Series(contender, len(series))
    return series
