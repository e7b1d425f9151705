"""A sheet to draw on, in points from its upper left corner, and the SVG that comes of it."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Sequence

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, Rectangle

from upstream.reports.words import shorten

INK = "#1b2733"
MUTED = "#5a6775"
FAINT = "#dfe4e9"
REST = "#aab4be"
COOL = "#2a6496"
WARM = "#c04f15"
"""The one colour for what a chart is about; darker than `REST` without any colour too."""
SHADES = ("#c9dcec", "#86b3d6", "#3f7fb5", "#173f66")
"""Parts in order, from slight to grave: one hue, each darker than the one before."""
HALF, WIDE = 460.0, 960.0
SIZE, SMALL = 11.5, 10.5
_LETTER, _BOLD_LETTER = 0.6, 0.69
_POINTS = 72

# As text it can be searched and read aloud, and takes the page's font.
mpl.rcParams["svg.fonttype"] = "none"

_FONT = re.compile(r'(<text style="[^"]*?)font-family: [^;"]*; ?')
_ID = re.compile(r'(<g) id="[^"]*"')
_SIZE = re.compile(r' width="[^"]*" height="[^"]*"')
_STYLE = re.compile(r"<defs>\s*<style[^>]*>[^<]*</style>\s*</defs>\s*")
_BREAKS = re.compile(r"\s*\n\s*")


class Canvas:
    """A drawing of `width` by `height` points; nothing on it has an id, so that several can stand on one page."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._drawn = 0
        self._figure = Figure(figsize=(width / _POINTS, height / _POINTS))
        self._figure.patch.set_visible(False)
        self._axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set_axis_off()
        self._axes.set_xlim(0, width)
        self._axes.set_ylim(height, 0)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        align: str = "left",
        color: str = INK,
        size: float = SIZE,
        bold: bool = False,
    ) -> None:
        """Write a text at the height of its middle; whatever is in it is text, never a formula."""
        self._axes.text(
            *(x, y, text),
            ha=align,
            va="center_baseline",
            color=color,
            fontsize=size,
            fontweight="bold" if bold else "normal",
            parse_math=False,
            zorder=self._above(),
        )

    def label(self, x: float, y: float, text: str, detail: str = "", *, strong: bool = False) -> None:
        """Write what a row is about, up to `x`, and a detail below it."""
        color, lift = (WARM if strong else INK), (7 if detail else 0)
        self.text(x, y - lift, fit(text, x, bold=strong), align="right", color=color, bold=strong)
        if detail:
            self.text(x, y + lift, fit(detail, x, SMALL), align="right", color=MUTED, size=SMALL)

    def line(self, xs: Sequence[float], ys: Sequence[float], color: str, width: float = 1) -> None:
        """Draw a line through points."""
        self._axes.plot(
            xs, ys, color=color, linewidth=width, clip_on=False, solid_capstyle="round", zorder=self._above()
        )

    def box(self, x: float, y: float, width: float, height: float, color: str) -> None:
        """Fill a rectangle that begins at its upper left corner."""
        self._add(Rectangle((x, y), width, height, facecolor=color, linewidth=0))

    def dot(self, x: float, y: float, radius: float, color: str) -> None:
        """Fill a circle, with a thin white edge that keeps it apart from what is below."""
        self._add(Circle((x, y), radius, facecolor=color, edgecolor="#ffffff", linewidth=0.8))

    def _add(self, patch: Patch) -> None:
        # Clipping needs an id that the picture refers to.
        patch.set_clip_on(False)
        patch.set_zorder(self._above())
        self._axes.add_patch(patch)

    def _above(self) -> int:
        """Each thing lies above those drawn before, whatever it is."""
        self._drawn += 1
        return self._drawn

    def svg(self, label: str) -> str:
        """The drawing as an `<svg>` element that is one image, named by `label`."""
        from django.utils.html import escape

        out = io.StringIO()
        with warnings.catch_warnings():
            # The page's font draws the text, not the one that this is about.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
            self._figure.savefig(out, format="svg", metadata=nothing)
        text = out.getvalue()
        text = text[text.index("<svg") :]
        for pattern, replacement in ((_STYLE, ""), (_ID, r"\1"), (_FONT, r"\1"), (_BREAKS, "\n")):
            text = pattern.sub(replacement, text)
        head, rest = text.split(">", 1)
        name = escape(label)
        return f'{_SIZE.sub("", head)} role="img" aria-label="{name}">\n<title>{name}</title>{rest.strip()}'


def width_of(text: str, size: float = SIZE, *, bold: bool = False) -> float:
    """About how many points a text takes, in a font as wide as they come."""
    letter = _BOLD_LETTER if bold else _LETTER
    # From there on the scripts begin whose letters are squares.
    return sum(1.0 if ord(each) > 0x2E80 else letter for each in text) * size


def fit(text: str, width: float, size: float = SIZE, *, bold: bool = False) -> str:
    """As much of a text as fits."""
    # What a label was given room for may be a rounding error wider than its room.
    while len(text) > 1 and width_of(text, size, bold=bold) > width + 0.5:
        text = shorten(text, len(text) - 1)
    return text


def room(labels: Iterable[tuple[str, str, bool]], most: float) -> float:
    """The width that labels take, each with its detail and whether it is strong; `most` at most."""
    return min(
        most, max(max(width_of(label, bold=strong), width_of(detail, SMALL)) for label, detail, strong in labels)
    )
